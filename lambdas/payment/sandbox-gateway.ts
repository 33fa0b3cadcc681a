import { TransientError } from '@outbox-saga/kit/errors';
import type { EffectPort, Performed } from '@outbox-saga/kit/effects/effect-port';
import type { SandboxLedger } from '../providers/sandbox-ledger.ts';
import type { World } from '@outbox-saga/kit/function/world';
import type { Charge } from './payment.ts';

/** A slow provider still answers well within a function's time limit. */
const slowMs = 1500;

/**
 * A gateway for trying things out; what it does follows from the token, so that every path can be reached from outside:
 * `tok_ok`, `tok_declined`, `tok_flaky` (fails twice, then succeeds), `tok_lost_response` (charges, then the answer is lost),
 * `tok_slow`. Any other token is declined. It keeps books in a table of its own and charges once per order.
 */
export function sandboxGateway(ledger: SandboxLedger, world: World): EffectPort<Charge> {
  const captured = (orderId: string): string => `capture#${orderId}`;
  const refunded = (orderId: string): string => `refund#${orderId}`;
  return {
    perform: async ({ orderId, amount, currency, token }): Promise<Performed> => {
      if (token === 'tok_slow') await world.pause(slowMs);
      if (token === 'tok_flaky' && (await ledger.count(`tries#${orderId}`)) <= 2) {
        throw new TransientError('unavailable', 'the sandbox gateway is flaky for this token');
      }
      if (!['tok_ok', 'tok_flaky', 'tok_lost_response', 'tok_slow'].includes(token)) {
        return { outcome: 'refused', reason: token === 'tok_declined' ? 'card declined' : 'unknown sandbox token' };
      }
      const reference = `sandbox-${orderId}`;
      const { existed } = await ledger.enter(captured(orderId), { kind: 'capture', orderId, amount, currency, reference, at: world.now() });
      if (token === 'tok_lost_response' && !existed) {
        throw new TransientError('unavailable', 'the sandbox gateway charged, but its answer was lost');
      }
      return { outcome: 'done', reference };
    },
    undo: async ({ orderId, amount, currency }) => {
      await ledger.enter(refunded(orderId), { kind: 'refund', orderId, amount, currency, at: world.now() });
      return 'undone';
    },
    find: async (orderId) => {
      const capture = await ledger.find<{ reference: string }>(captured(orderId));
      if (!capture) return { outcome: 'unknown' };
      const { reference } = capture;
      return { outcome: (await ledger.find(refunded(orderId))) ? 'undone' : 'done', reference };
    },
  };
}
