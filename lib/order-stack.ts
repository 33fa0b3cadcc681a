import { Stack, type StackProps } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import { variablesOf, type Faults } from '@outbox-saga/kit/function/fault-settings';
import { addOrderAlarms, addOrderDashboard } from './observability/observe.ts';
import { addHttpApi } from './services/http-api.ts';
import { addInventory } from './services/inventory.ts';
import { Messaging } from './services/messaging.ts';
import { addNotification } from './services/notification.ts';
import { OrderServices, type OrderServicesProps } from './services/order-services.ts';
import { addOrderView } from './services/order-view.ts';
import { addOrders, addOrderSweep } from './services/orders.ts';
import { addPayment } from './services/payment.ts';
import type { Provider, ProviderConfig } from './services/provider.ts';
import { addShipping } from './services/shipping.ts';

export interface OrderStackProps extends StackProps, OrderServicesProps {
  /** A real payment gateway; without it the stage's sandbox answers. */
  readonly paymentGateway?: ProviderConfig | undefined;
  /** A real carrier; without it the stage's sandbox answers. */
  readonly carrier?: ProviderConfig | undefined;
  /** Address that SES has verified; without it nobody is mailed. */
  readonly emailSender?: string | undefined;
  /** Subscribed to the alarms. */
  readonly alarmEmail?: string | undefined;
  /** Web origins that may call the API, in place of the stage's. */
  readonly corsOrigins?: readonly string[] | undefined;
  /** Faults that functions inject into themselves; none by default, and none on prod. */
  readonly faults?: Faults | undefined;
}

/** The whole system. What each function may do stands in its service, statement by statement; docs/access.md has all of it in one table. */
export class OrderStack extends Stack {
  constructor(scope: Construct, id: string, props: OrderStackProps) {
    super(scope, id, props);
    const { stage, paymentGateway, carrier, emailSender, issuer, corsOrigins = stage.corsOrigins } = props;
    if (!stage.sandboxAllowed && !(paymentGateway && carrier)) {
      throw new Error(
        `stage ${stage.name} takes real money: it needs --context paymentUrl=… and --context carrierUrl=… (docs/providers.md)`,
      );
    }
    const services = new OrderServices(this, props);
    const messaging = new Messaging(services);
    const providerOf = sandboxFor(services);

    const orders = addOrders(services, messaging, { sandboxDefaults: paymentGateway === undefined });
    addInventory(services, messaging);
    addPayment(services, messaging, providerOf(paymentGateway));
    addShipping(services, messaging, providerOf(carrier));
    const notifications = addNotification(services, messaging, emailSender);
    const orderView = addOrderView(services, messaging, orders);
    addOrderSweep(this, services, messaging, { orders, orderView, notifications });
    messaging.publish(orders);
    const api = addHttpApi(this, services, { ...stage, issuer, corsOrigins });

    for (const target of services.functions) {
      const faults = props.faults?.[target.serviceName];
      for (const [variable, value] of Object.entries(faults ? variablesOf(faults) : {})) target.addEnvironment(variable, value);
    }
    const observed = { services, outbox: messaging.outbox, api };
    addOrderDashboard(this, observed);
    if (stage.alarms) addOrderAlarms(this, observed, props.alarmEmail);
  }
}

/** The sandbox's ledger is there only where a sandbox is used; both sandboxes write to one. */
function sandboxFor(services: OrderServices): (real: ProviderConfig | undefined) => Provider {
  let provider: Provider | undefined;
  // The id of its output is older than its name.
  return (real) => real ?? (provider ??= { sandboxLedger: services.table('sandboxLedger', 'LedgerTableName') });
}
