import { topology } from '../../lambdas/contract/routes.ts';
import type { Database } from '@outbox-saga/kit/aws/clients';
import type { EffectPort } from '@outbox-saga/kit/effects/effect-port';
import type { EffectContext } from '@outbox-saga/kit/effects/effect-run';
import { messageMaker } from '@outbox-saga/kit/messages/message';
import { effectHandlers } from '../../lambdas/providers/provider-service.ts';
import type { World } from '@outbox-saga/kit/function/world';
import { payment, type Charge } from '../../lambdas/payment/payment.ts';
import { shipment, type Consignment } from '../../lambdas/shipping/shipment.ts';

/** How long the providers of the tests keep idempotency keys, and how long a call to them can be under way. */
export const providerKeySeconds = 3600;
export const callSeconds = 15;

type Parts = { readonly database: Database; readonly world: World };

function effects<Request>(
  { database, world }: Parts,
  source: string,
  table: Pick<EffectContext<Request>, 'table' | 'names'>,
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

/** The payment service's handlers: `do` captures, `undo` refunds. */
export function paymentsAt(parts: Parts, gateway: EffectPort<Charge>) {
  const table = { table: 'payments', names: payment.states };
  return effectHandlers(payment, effects(parts, 'payment', table, gateway), messageMaker(topology, parts.world));
}

/** The shipping service's handlers: `do` arranges, `undo` calls off. */
export function shipmentsAt(parts: Parts, carrier: EffectPort<Consignment>) {
  const table = { table: 'shipments', names: shipment.states };
  return effectHandlers(shipment, effects(parts, 'shipping', table, carrier), messageMaker(topology, parts.world));
}
