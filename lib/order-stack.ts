import { ArnFormat, CfnOutput, Stack, type StackProps } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import { variablesOf, type Faults } from '../lambdas/contract/core/faults.ts';
import { corsHeaders, operations, type OperationName } from '../lambdas/contract/api.ts';
import { preflightRoute } from '../lambdas/contract/core/http.ts';
import { functions, type FunctionName } from '../lambdas/contract/functions.ts';
import { topology, type Consumer as ConsumerName } from '../lambdas/contract/routes.ts';
import { tables } from '../lambdas/contract/tables.ts';
import { Consumer } from './constructs/consumer.ts';
import { everyMinute } from './constructs/every-minute.ts';
import { Outbox } from './constructs/outbox.ts';
import { OwnedTable } from './constructs/owned-table.ts';
import { ServiceApi, type TokenIssuer } from './constructs/service-api.ts';
import { ServiceFunction, type ServiceFunctionProps } from './constructs/service-function.ts';
import { addAlarms } from './observability/alarms.ts';
import { addDashboard } from './observability/dashboard.ts';
import type { StageConfig } from './stage-config.ts';

/** A real payment gateway or carrier; without it the stage's sandbox answers. */
export interface ProviderConfig {
  /** Base URL (docs/providers.md). */
  readonly url: string;
  /** Name or ARN of the Secrets Manager secret with its bearer token. */
  readonly secretId?: string | undefined;
  /** ARN of the customer's own KMS key that the secret is under; without it the secret is under AWS's. */
  readonly secretKeyArn?: string | undefined;
}

export interface OrderStackProps extends StackProps {
  readonly stage: StageConfig;
  /** Folder of each function's bundle. */
  readonly bundles: Readonly<Record<FunctionName, string>>;
  readonly paymentGateway?: ProviderConfig | undefined;
  readonly carrier?: ProviderConfig | undefined;
  /** Address that SES has verified; without it nobody is mailed. */
  readonly emailSender?: string | undefined;
  /** Subscribed to the alarms. */
  readonly alarmEmail?: string | undefined;
  /** Who issues customers' tokens; without one, their routes demand IAM and callers name the customer. */
  readonly issuer?: TokenIssuer | undefined;
  /** Web origins that may call the API, in place of the stage's. */
  readonly corsOrigins?: readonly string[] | undefined;
  /** Whether nobody is asked who they are: on a laptop only. */
  readonly open: boolean;
  /** Faults that functions inject into themselves; none by default, and none on prod. */
  readonly faults?: Faults | undefined;
}

/** The whole system. What each function may do stands here, statement by statement. */
export class OrderStack extends Stack {
  constructor(scope: Construct, id: string, props: OrderStackProps) {
    super(scope, id, props);
    const { stage, bundles } = props;
    if (!stage.sandboxAllowed && !(props.paymentGateway && props.carrier)) {
      throw new Error(
        `stage ${stage.name} takes real money: it needs --context paymentUrl=… and --context carrierUrl=… (docs/providers.md)`,
      );
    }

    const orders = new OwnedTable(this, 'OrdersTable', { definition: tables.orders, stage });
    const inventory = new OwnedTable(this, 'InventoryTable', { definition: tables.inventory, stage });
    const payments = new OwnedTable(this, 'PaymentsTable', { definition: tables.payments, stage });
    const shipments = new OwnedTable(this, 'ShipmentsTable', { definition: tables.shipments, stage });
    const notifications = new OwnedTable(this, 'NotificationsTable', { definition: tables.notifications, stage });
    const orderView = new OwnedTable(this, 'OrderViewTable', { definition: tables.orderView, stage });
    const idempotency = new OwnedTable(this, 'IdempotencyTable', { definition: tables.idempotency, stage });
    const needsSandbox = !props.paymentGateway || !props.carrier;
    const ledger = needsSandbox ? new OwnedTable(this, 'SandboxLedgerTable', { definition: tables.sandboxLedger, stage }) : undefined;

    const outbox = new Outbox(this, 'Outbox', {
      stage,
      publisher: this.#part('outbox-publisher', bundles, {}),
      relay: this.#part('outbox-relay', bundles, { ORDERS_TABLE: orders.tableName }),
    });

    // Saga and participants: own table, outbox, idempotency; nothing else.
    const participant = { IDEMPOTENCY_TABLE: idempotency.tableName, ...outbox.senderEnvironment };
    const saga = this.#consumer('order-saga', props, { ...participant, ORDERS_TABLE: orders.tableName });
    saga.function.allow(['dynamodb:GetItem', 'dynamodb:UpdateItem'], orders.tableArn);
    const stock = this.#consumer('inventory', props, { ...participant, INVENTORY_TABLE: inventory.tableName });
    stock.function.allow(['dynamodb:GetItem', 'dynamodb:PutItem', 'dynamodb:UpdateItem'], inventory.tableArn);
    const payment = this.#consumer('payment', props, {
      ...participant,
      PAYMENTS_TABLE: payments.tableName,
      ...this.#provider(props.paymentGateway, ledger),
    });
    payment.function.allow(['dynamodb:GetItem', 'dynamodb:PutItem', 'dynamodb:UpdateItem'], payments.tableArn);
    const shipping = this.#consumer('shipping', props, {
      ...participant,
      SHIPMENTS_TABLE: shipments.tableName,
      ...this.#provider(props.carrier, ledger),
    });
    shipping.function.allow(['dynamodb:GetItem', 'dynamodb:PutItem', 'dynamodb:UpdateItem'], shipments.tableArn);
    for (const { function: target } of [saga, stock, payment, shipping]) {
      outbox.grantCommit(target);
      // Powertools reads a record only as the item that refused its write.
      target.allow(['dynamodb:PutItem', 'dynamodb:UpdateItem', 'dynamodb:DeleteItem'], idempotency.tableArn);
    }
    this.#allowProvider(payment.function, props.paymentGateway, ledger);
    this.#allowProvider(shipping.function, props.carrier, ledger);
    // The sandbox gateway counts the tries of its flaky token.
    if (!props.paymentGateway && ledger) payment.function.allow(['dynamodb:UpdateItem'], ledger.tableArn);

    // Listeners: they only hear.
    const notification = this.#consumer('notification', props, {
      IDEMPOTENCY_TABLE: idempotency.tableName,
      NOTIFICATIONS_TABLE: notifications.tableName,
      EMAIL_SENDER: props.emailSender ?? '',
    });
    notification.function.allow(['dynamodb:PutItem'], notifications.tableArn);
    if (props.emailSender) {
      notification.function.allow(['dynamodb:UpdateItem'], notifications.tableArn);
      // SES checks the identity that is verified: the address itself or its domain.
      const identities = [props.emailSender, props.emailSender.slice(props.emailSender.indexOf('@') + 1)];
      notification.function.allow(
        ['ses:SendEmail'],
        ...identities.map((resourceName) => this.formatArn({ service: 'ses', resource: 'identity', resourceName })),
      );
    }
    const view = this.#consumer('order-view', props, {
      IDEMPOTENCY_TABLE: idempotency.tableName,
      ORDER_VIEW_TABLE: orderView.tableName,
      ORDERS_TABLE: orders.tableName,
    });
    // Where they count their failures.
    for (const { function: target } of [notification, view]) target.allow(['dynamodb:UpdateItem'], idempotency.tableArn);
    view.function.allow(['dynamodb:UpdateItem'], orderView.tableArn);
    // Read only to close a gap: the view repairs itself from the order.
    view.function.allow(['dynamodb:GetItem'], orders.tableArn);

    const consumers = [saga, stock, payment, shipping, notification, view];
    const { publisher, relay } = outbox.publishTo(Object.fromEntries(consumers.map(({ name, queue }) => [name, queue])));
    relay.allow(['dynamodb:Query'], `${orders.tableArn}/index/open`);

    // HTTP
    const asked = { AUTHENTICATION: props.open ? 'none' : props.issuer ? 'token' : 'iam' };
    const placeOrder = this.#function('place-order', props, {
      ORDERS_TABLE: orders.tableName,
      ...outbox.senderEnvironment,
      ...asked,
      // A real gateway must not be asked to charge what nobody named.
      SANDBOX_DEFAULTS: String(props.paymentGateway === undefined),
    });
    placeOrder.allow(['dynamodb:PutItem'], orders.tableArn);
    outbox.grantCommit(placeOrder);
    const queryOrders = this.#function('query-orders', props, {
      ORDERS_TABLE: orders.tableName,
      OUTBOX_TABLE: outbox.table.tableName,
      ORDER_VIEW_TABLE: orderView.tableName,
      ...asked,
    });
    queryOrders.allow(['dynamodb:GetItem'], orders.tableArn);
    queryOrders.allow(['dynamodb:Query'], outbox.table.tableArn, orderView.tableArn);
    const cancel = this.#function('order-cancel', props, { ORDERS_TABLE: orders.tableName, ...outbox.senderEnvironment, ...asked });
    cancel.allow(['dynamodb:GetItem', 'dynamodb:UpdateItem'], orders.tableArn);
    outbox.grantCommit(cancel);
    const sweep = this.#function('order-sweep', props, {
      ORDERS_TABLE: orders.tableName,
      ...outbox.senderEnvironment,
      ORDER_VIEW_TABLE: orderView.tableName,
      NOTIFICATIONS_TABLE: notifications.tableName,
      IDEMPOTENCY_TABLE: idempotency.tableName,
    });
    sweep.allow(['dynamodb:GetItem', 'dynamodb:UpdateItem'], orders.tableArn);
    sweep.allow(['dynamodb:Query'], `${orders.tableArn}/index/open`);
    outbox.grantCommit(sweep);
    // The closing check reads what the others know, and makes rows due again that they lack.
    sweep.allow(['dynamodb:Query', 'dynamodb:UpdateItem'], outbox.table.tableArn);
    sweep.allow(['dynamodb:GetItem'], orderView.tableArn, notifications.tableArn);
    // Where a run that ended early stopped.
    sweep.allow(['dynamodb:GetItem', 'dynamodb:PutItem'], idempotency.tableArn);
    everyMinute(this, 'EveryMinute', sweep);
    const stockAdmin = this.#function('stock-admin', props, { INVENTORY_TABLE: inventory.tableName, ...asked });
    stockAdmin.allow(['dynamodb:GetItem', 'dynamodb:UpdateItem'], inventory.tableArn);
    const health = this.#function('health', props, {});

    const httpFunctions: Record<(typeof operations)[OperationName]['function'], ServiceFunction> = {
      'place-order': placeOrder,
      'query-orders': queryOrders,
      'order-cancel': cancel,
      'stock-admin': stockAdmin,
      health,
    };
    const corsOrigins = props.corsOrigins ?? stage.corsOrigins;
    const { api } = new ServiceApi(this, 'Http', {
      stage,
      routes: {
        // A browser asks before it sends, and proves nothing then. The gateway would answer by itself, but for $default, which demands IAM.
        ...(corsOrigins.length > 0 ? { [preflightRoute]: { function: health, access: 'open', throttleShare: 0.5 } } : {}),
        ...Object.fromEntries(
          Object.values(operations).map(({ function: name, route, ...rest }) => [route, { function: httpFunctions[name], ...rest }]),
        ),
        $default: { function: health, access: 'operator', throttleShare: 0.1 },
      },
      issuer: props.issuer,
      cors: { origins: corsOrigins, ...corsHeaders },
    });

    const observed = {
      stage,
      consumers,
      publisher,
      relay,
      sweep,
      streamFailures: outbox.streamFailures,
      functions: [
        placeOrder,
        queryOrders,
        cancel,
        sweep,
        stockAdmin,
        health,
        publisher,
        relay,
        ...consumers.map((consumer) => consumer.function),
      ],
      api,
    };
    for (const target of observed.functions) {
      const faults = props.faults?.[target.serviceName];
      for (const [variable, value] of Object.entries(faults ? variablesOf(faults) : {})) target.addEnvironment(variable, value);
    }
    addDashboard(this, observed);
    if (stage.alarms) addAlarms(this, { ...observed, email: props.alarmEmail });

    this.#output(
      { orders, inventory, payments, shipments, notifications, orderView, idempotency, outbox: outbox.table, ledger },
      consumers,
    );
  }

  #part<Name extends FunctionName, Environment>(name: Name, bundles: OrderStackProps['bundles'], environment: Environment) {
    return { name, definition: functions[name], bundle: bundles[name], environment };
  }

  #function<Name extends FunctionName>(
    name: Name,
    { stage, bundles }: OrderStackProps,
    environment: ServiceFunctionProps<(typeof functions)[Name]>['environment'],
  ): ServiceFunction<(typeof functions)[Name]> {
    return new ServiceFunction<(typeof functions)[Name]>(this, pascalCase(name), { stage, ...this.#part(name, bundles, environment) });
  }

  #consumer<Name extends ConsumerName>(
    name: Name,
    { stage, bundles }: OrderStackProps,
    environment: Omit<ServiceFunctionProps<(typeof functions)[Name]>['environment'], 'QUEUE_URL' | 'DEAD_LETTER_QUEUE_URL'>,
  ): Consumer {
    return new Consumer<(typeof functions)[Name]>(this, pascalCase(name), {
      stage,
      policy: topology.consumers[name],
      ...this.#part(name, bundles, environment),
    });
  }

  #provider(provider: ProviderConfig | undefined, ledger: OwnedTable | undefined) {
    return {
      PROVIDER_URL: provider?.url ?? '',
      PROVIDER_SECRET_ID: provider?.secretId ?? '',
      SANDBOX_LEDGER_TABLE: provider ? '' : (ledger?.tableName ?? ''),
    };
  }

  #allowProvider(target: ServiceFunction, provider: ProviderConfig | undefined, ledger: OwnedTable | undefined): void {
    if (!provider && ledger) target.allow(['dynamodb:GetItem', 'dynamodb:PutItem'], ledger.tableArn);
    if (!provider?.secretId) return;
    const arn = provider.secretId.startsWith('arn:')
      ? provider.secretId
      : // Secrets Manager appends six characters to the name.
        this.formatArn({
          service: 'secretsmanager',
          resource: 'secret',
          resourceName: `${provider.secretId}-??????`,
          arnFormat: ArnFormat.COLON_RESOURCE_NAME,
        });
    target.allow(['secretsmanager:GetSecretValue'], arn);
    if (provider.secretKeyArn === undefined) return;
    const viaSecretsManager = { StringEquals: { 'kms:ViaService': `secretsmanager.${this.region}.amazonaws.com` } };
    target.allowWhere(viaSecretsManager, ['kms:Decrypt'], provider.secretKeyArn);
  }

  #output(outputs: Readonly<Record<string, OwnedTable | undefined>>, consumers: readonly Consumer[]): void {
    for (const [name, table] of Object.entries(outputs)) {
      if (table) new CfnOutput(this, `${pascalCase(name)}TableName`, { value: table.tableName });
    }
    for (const { name, queue, deadLetters } of consumers) {
      new CfnOutput(this, `${pascalCase(name)}QueueUrl`, { value: queue.queueUrl });
      new CfnOutput(this, `${pascalCase(name)}DeadLetterQueueUrl`, { value: deadLetters.queueUrl });
    }
  }
}

/** `place-order` → `PlaceOrder`. */
function pascalCase(name: string): string {
  return name.replaceAll(/(^|-)([a-zA-Z])/g, (_, _dash, letter: string) => letter.toUpperCase());
}
