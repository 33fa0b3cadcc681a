import { topology } from '../../lambdas/contract/routes.ts';
import type { Database } from '@outbox-saga/kit/aws/clients';
import type { EffectContext, EffectPort, EffectState } from '@outbox-saga/kit/effects/effect';
import { messageMaker } from '@outbox-saga/kit/messages/message';
import type { World } from '@outbox-saga/kit/function/world';
import type { PaymentGateway } from '../../lambdas/payment/gateway.ts';
import { paymentEffect, paymentStates, type Payments } from '../../lambdas/payment/payment.ts';
import type { Carrier } from '../../lambdas/shipping/carrier.ts';
import { shipmentEffect, shipmentStates, type Shipments } from '../../lambdas/shipping/shipment.ts';

/** How long the providers of the tests keep idempotency keys, and how long a call to them can be under way. */
export const providerKeySeconds = 3600;
export const callSeconds = 15;

type Rooms = { readonly database: Database; readonly world: World };

function effects<Request>(
  { database, world }: Rooms,
  source: string,
  table: { readonly table: string; readonly names: Readonly<Record<EffectState, string>> },
  port: EffectPort<Request>,
): EffectContext<Request> {
  return {
    database,
    world,
    source,
    outboxTable: 'outbox',
    outboxExpirySeconds: 3600,
    keyName: 'orderId',
    ...table,
    port,
    providerKeySeconds,
    callSeconds,
  };
}

export function paymentsAt(rooms: Rooms, gateway: PaymentGateway): Payments {
  const table = { table: 'payments', names: paymentStates };
  return { effects: effects(rooms, 'payment', table, paymentEffect(gateway)), makeMessage: messageMaker(topology, rooms.world) };
}

export function shipmentsAt(rooms: Rooms, carrier: Carrier): Shipments {
  const table = { table: 'shipments', names: shipmentStates };
  return { effects: effects(rooms, 'shipping', table, shipmentEffect(carrier)), makeMessage: messageMaker(topology, rooms.world) };
}
