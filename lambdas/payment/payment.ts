import type { Message } from '../contract/messages.ts';
import type { topology } from '../contract/routes.ts';
import { performEffect, undoEffect, type EffectContext, type EffectPort, type EffectState } from '@outbox-saga/kit/effects/effect';
import { replyTo, type MakeMessage } from '@outbox-saga/kit/messages/message';
import type { Charge, PaymentGateway } from './gateway.ts';

/** What the states of a payment are called in its table. VOIDED: refunded before it was ever requested. */
export const paymentStates: Readonly<Record<EffectState, string>> = {
  doing: 'CAPTURING',
  done: 'CAPTURED',
  refused: 'DECLINED',
  undoing: 'REFUNDING',
  undone: 'REFUNDED',
  voided: 'VOIDED',
};

/** The gateway as an effect: capturing does it, refunding undoes it. */
export function paymentEffect(gateway: PaymentGateway): EffectPort<Charge> {
  return {
    perform: async (charge, key) => {
      const answer = await gateway.capture(charge, key);
      if (answer.outcome === 'captured') return { outcome: 'done', reference: answer.reference };
      if (answer.outcome === 'declined') return { outcome: 'refused', reason: answer.reason };
      return answer;
    },
    undo: async (charge, reference, key) => ((await gateway.refund(charge, reference, key)) === 'refunded' ? 'undone' : 'pending'),
    find: async (orderId) => {
      const answer = await gateway.find(orderId);
      if (answer.outcome === 'captured') return { outcome: 'done', reference: answer.reference };
      if (answer.outcome === 'declined') return { outcome: 'refused', reason: answer.reason };
      if (answer.outcome === 'refunded') return { outcome: 'undone', reference: answer.reference };
      return answer;
    },
  };
}

export interface Payments {
  readonly effects: EffectContext<Charge>;
  readonly makeMessage: MakeMessage<(typeof topology)['messages']>;
}

export function capturePayment({ effects, makeMessage }: Payments, message: Message<'PaymentRequested'>): Promise<string> {
  const { amount, currency, token } = message.data;
  const charge = { orderId: message.aggregateId, amount, currency, token };
  return performEffect(effects, message.aggregateId, charge, {
    done: (reference) => makeMessage('PaymentCaptured', { amount, currency, reference }, replyTo(message)),
    refused: (reason) => makeMessage('PaymentDeclined', { reason }, replyTo(message)),
  });
}

export function refundPayment({ effects, makeMessage }: Payments, message: Message<'RefundRequested'>): Promise<string> {
  const { amount, currency } = message.data;
  return undoEffect(effects, message.aggregateId, (refunded) =>
    makeMessage('PaymentRefunded', { amount: refunded ? amount : 0, currency }, replyTo(message)),
  );
}
