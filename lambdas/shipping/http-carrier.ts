import * as z from 'zod';
import { TransientError } from '@outbox-saga/kit/errors';
import { callProvider, type ProviderOptions } from '@outbox-saga/kit/effects/provider';
import type { Carrier } from './carrier.ts';

const trackingId = z.string().min(1).max(200);
const arrangeAnswer = z.discriminatedUnion('outcome', [
  z.object({ outcome: z.literal('arranged'), trackingId }),
  z.object({ outcome: z.literal('rejected'), reason: z.string().max(300) }),
  z.object({ outcome: z.literal('pending') }),
]);
const findAnswer = z.union([arrangeAnswer, z.object({ outcome: z.literal('cancelled'), trackingId })]);
const callOffAnswer = z.object({ outcome: z.enum(['cancelled', 'pending']) });

/** A carrier behind HTTP; docs/providers.md is its contract. */
export function httpCarrier(options: ProviderOptions): Carrier {
  return {
    arrange: async (consignment, idempotencyKey) => {
      const answer = await callProvider(options, { method: 'POST', path: '/shipments', idempotencyKey, body: consignment }, arrangeAnswer);
      if (!answer) throw new TransientError('unavailable', 'POST /shipments: the carrier answered 404');
      return answer;
    },
    callOff: async ({ orderId }, tracking, idempotencyKey) => {
      const path = `/shipments/${encodeURIComponent(orderId)}/cancel`;
      const answer = await callProvider(options, { method: 'POST', path, idempotencyKey, body: { trackingId: tracking } }, callOffAnswer);
      if (!answer) throw new TransientError('unavailable', `POST ${path}: the carrier answered 404`);
      return answer.outcome;
    },
    find: async (orderId) =>
      (await callProvider(options, { method: 'GET', path: `/shipments/${encodeURIComponent(orderId)}` }, findAnswer)) ?? {
        outcome: 'unknown',
      },
  };
}
