import type { EffectPort } from '@outbox-saga/kit/effects/effect-port';
import type { SandboxLedger } from '../providers/sandbox-ledger.ts';
import type { World } from '@outbox-saga/kit/function/world';
import type { Consignment } from './shipment.ts';

/** A carrier for trying things out: it cannot deliver to postal code `00000` and keeps books in the sandbox ledger. */
export function sandboxCarrier(ledger: SandboxLedger, world: World): EffectPort<Consignment> {
  const arranged = (orderId: string): string => `shipment#${orderId}`;
  const calledOff = (orderId: string): string => `calloff#${orderId}`;
  return {
    perform: async ({ orderId, shipTo }) => {
      if (shipTo?.postalCode === '00000') return { outcome: 'refused', reason: 'postal code 00000 cannot be delivered to' };
      const trackingId = `sandbox-${orderId}`;
      await ledger.enter(arranged(orderId), { kind: 'shipment', orderId, trackingId, at: world.now() });
      return { outcome: 'done', reference: trackingId };
    },
    undo: async ({ orderId }, trackingId) => {
      await ledger.enter(calledOff(orderId), { kind: 'calloff', orderId, trackingId, at: world.now() });
      return 'undone';
    },
    find: async (orderId) => {
      const shipment = await ledger.find<{ trackingId: string }>(arranged(orderId));
      if (!shipment) return { outcome: 'unknown' };
      return { outcome: (await ledger.find(calledOff(orderId))) ? 'undone' : 'done', reference: shipment.trackingId };
    },
  };
}
