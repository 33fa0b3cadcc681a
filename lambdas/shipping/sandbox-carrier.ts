import type { SandboxLedger } from '../providers/sandbox-ledger.ts';
import type { World } from '@outbox-saga/kit/function/world';
import type { Carrier } from './carrier.ts';

/** A carrier for trying things out: it cannot deliver to postal code `00000` and keeps books in the sandbox ledger. */
export function sandboxCarrier(ledger: SandboxLedger, world: World): Carrier {
  const arranged = (orderId: string): string => `shipment#${orderId}`;
  const calledOff = (orderId: string): string => `calloff#${orderId}`;
  return {
    arrange: async ({ orderId, shipTo }) => {
      if (shipTo?.postalCode === '00000') return { outcome: 'rejected', reason: 'postal code 00000 cannot be delivered to' };
      const trackingId = `sandbox-${orderId}`;
      await ledger.enter(arranged(orderId), { kind: 'shipment', orderId, trackingId, at: world.now() });
      return { outcome: 'arranged', trackingId };
    },
    callOff: async ({ orderId }, trackingId) => {
      await ledger.enter(calledOff(orderId), { kind: 'calloff', orderId, trackingId, at: world.now() });
      return 'cancelled';
    },
    find: async (orderId) => {
      const shipment = await ledger.find<{ trackingId: string }>(arranged(orderId));
      if (!shipment) return { outcome: 'unknown' };
      const { trackingId } = shipment;
      return { outcome: (await ledger.find(calledOff(orderId))) ? 'cancelled' : 'arranged', trackingId };
    },
  };
}
