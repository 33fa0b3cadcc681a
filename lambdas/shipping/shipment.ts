import type { Message } from '../contract/messages.ts';
import type { topology } from '../contract/routes.ts';
import { performEffect, undoEffect, type EffectContext, type EffectPort, type EffectState } from '@outbox-saga/kit/effects/effect';
import { replyTo, type MakeMessage } from '@outbox-saga/kit/messages/message';
import type { Carrier, Consignment } from './carrier.ts';

/** What the states of a shipment are called in its table. VOIDED: called off before it was ever requested. */
export const shipmentStates: Readonly<Record<EffectState, string>> = {
  doing: 'ARRANGING',
  done: 'ARRANGED',
  refused: 'REJECTED',
  undoing: 'CALLING_OFF',
  undone: 'CALLED_OFF',
  voided: 'VOIDED',
};

/** The carrier as an effect: arranging does it, calling off undoes it. */
export function shipmentEffect(carrier: Carrier): EffectPort<Consignment> {
  return {
    perform: async (consignment, key) => {
      const answer = await carrier.arrange(consignment, key);
      if (answer.outcome === 'arranged') return { outcome: 'done', reference: answer.trackingId };
      if (answer.outcome === 'rejected') return { outcome: 'refused', reason: answer.reason };
      return answer;
    },
    undo: async (consignment, trackingId, key) =>
      (await carrier.callOff(consignment, trackingId, key)) === 'cancelled' ? 'undone' : 'pending',
    find: async (orderId) => {
      const answer = await carrier.find(orderId);
      if (answer.outcome === 'arranged') return { outcome: 'done', reference: answer.trackingId };
      if (answer.outcome === 'rejected') return { outcome: 'refused', reason: answer.reason };
      if (answer.outcome === 'cancelled') return { outcome: 'undone', reference: answer.trackingId };
      return answer;
    },
  };
}

export interface Shipments {
  readonly effects: EffectContext<Consignment>;
  readonly makeMessage: MakeMessage<(typeof topology)['messages']>;
}

export function arrangeShipment({ effects, makeMessage }: Shipments, message: Message<'ShipmentRequested'>): Promise<string> {
  const { items, shipTo } = message.data;
  const consignment = { orderId: message.aggregateId, items, shipTo };
  return performEffect(effects, message.aggregateId, consignment, {
    done: (trackingId) => makeMessage('ShipmentArranged', { trackingId }, replyTo(message)),
    refused: (reason) => makeMessage('ShipmentRejected', { reason }, replyTo(message)),
  });
}

export function callOffShipment({ effects, makeMessage }: Shipments, message: Message<'ShipmentCancelRequested'>): Promise<string> {
  return undoEffect(effects, message.aggregateId, () => makeMessage('ShipmentCancelled', {}, replyTo(message)));
}
