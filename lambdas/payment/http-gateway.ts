import * as z from 'zod';
import { TransientError } from '@outbox-saga/kit/errors';
import { callProvider, type ProviderOptions } from '@outbox-saga/kit/effects/provider';
import type { PaymentGateway } from './gateway.ts';

const captureAnswer = z.discriminatedUnion('outcome', [
  z.object({ outcome: z.literal('captured'), reference: z.string().min(1).max(200) }),
  z.object({ outcome: z.literal('declined'), reason: z.string().max(300) }),
  z.object({ outcome: z.literal('pending') }),
]);
const findAnswer = z.union([captureAnswer, z.object({ outcome: z.literal('refunded'), reference: z.string().min(1).max(200) })]);
const refundAnswer = z.object({ outcome: z.enum(['refunded', 'pending']) });

/** A payment gateway behind HTTP; docs/providers.md is its contract. */
export function httpGateway(options: ProviderOptions): PaymentGateway {
  return {
    capture: async (charge, idempotencyKey) => {
      const answer = await callProvider(options, { method: 'POST', path: '/captures', idempotencyKey, body: charge }, captureAnswer);
      if (!answer) throw new TransientError('unavailable', 'POST /captures: the gateway answered 404');
      return answer;
    },
    refund: async ({ orderId, amount, currency }, reference, idempotencyKey) => {
      const body = { orderId, reference, amount, currency };
      const answer = await callProvider(options, { method: 'POST', path: '/refunds', idempotencyKey, body }, refundAnswer);
      if (!answer) throw new TransientError('unavailable', 'POST /refunds: the gateway answered 404');
      return answer.outcome;
    },
    find: async (orderId) =>
      (await callProvider(options, { method: 'GET', path: `/captures/${encodeURIComponent(orderId)}` }, findAnswer)) ?? {
        outcome: 'unknown',
      },
  };
}
