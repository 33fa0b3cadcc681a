import { App, Stack } from 'aws-cdk-lib';
import { describe, expect, it } from 'vitest';
import { functions } from '../../lambdas/contract/functions.ts';
import { metricNamespace } from '../../lambdas/contract/metrics.ts';
import { topology } from '../../lambdas/contract/routes.ts';
import { addInventory } from '../../lib/services/inventory.ts';
import { Messaging } from '../../lib/services/messaging.ts';
import { OrderServices } from '../../lib/services/order-services.ts';
import { addOrders } from '../../lib/services/orders.ts';
import { stages } from '../../lib/stage-config.ts';
import { templates } from '../support/templates.ts';

const { outdir, bundles, ofType } = templates();

/** A stack with orders and stock, and nothing else. */
function half() {
  const stack = new Stack(new App({ outdir: `${outdir}/half` }), 'Half');
  const services = new OrderServices(stack, { stage: stages.dev, bundles, open: false });
  const messaging = new Messaging(services);
  const orders = addOrders(services, messaging, { sandboxDefaults: true });
  addInventory(services, messaging);
  return { stack, messaging, orders };
}

/** The names of what an error is about. */
function named(what: 'consumer' | 'function', act: () => unknown): string[] {
  try {
    act();
  } catch (error) {
    return [...(error as Error).message.matchAll(new RegExp(`${what} ([\\w-]+): `, 'g'))].map(([, name]) => name!).toSorted();
  }
  return [];
}

describe('a service that is left out', () => {
  it('is missed by the names of its consumers, as routes name them', () => {
    const { messaging, orders } = half();
    const made = new Set(['order-saga', 'inventory']);
    const missing = Object.keys(topology.consumers).filter((name) => !made.has(name));
    expect(missing).toEqual(expect.arrayContaining(['payment', 'shipping', 'notification', 'order-view']));
    expect(named('consumer', () => messaging.publish(orders))).toEqual(missing.toSorted());
  });

  it('is missed by the names of its functions, as the contract names them', () => {
    const { stack } = half();
    const made = new Set(['place-order', 'order-saga', 'order-cancel', 'inventory', 'stock-admin']);
    const missing = Object.keys(functions).filter((name) => !made.has(name));
    expect(missing).toEqual(expect.arrayContaining(['query-orders', 'health', 'outbox-relay']));
    expect(named('function', () => App.of(stack)!.synth())).toEqual(missing.toSorted());
  });
});

describe('a function', () => {
  it('emits its metrics to the namespace that alarms and dashboard look at', () => {
    const namespaces = ofType('AWS::Lambda::Function').map(
      ([, { Properties }]) => Properties.Environment.Variables.POWERTOOLS_METRICS_NAMESPACE as string,
    );
    expect(namespaces).toEqual(Object.keys(functions).map(() => metricNamespace));
    expect(metricNamespace).toBe('OrderSaga');
  });
});
