import type { Envelope } from '../messages/envelope.ts';
import { assertNever, invariant, PermanentError, TransientError } from '../errors.ts';
import { commit } from '../outbox/commit.ts';
import {
  decide,
  evolve,
  type EffectAnswer,
  type EffectCall,
  type EffectGoal,
  type EffectInput,
  type EffectRecord,
  type EffectReply,
} from './effect.ts';
import { RequestRefused, type EffectPort } from './effect-port.ts';
import { loadEffect, saveEffect, type EffectStore } from './effect-store.ts';

export interface EffectContext<Request> extends EffectStore {
  readonly port: EffectPort<Request>;
}

/** How the saga is told. Called anew whenever it is told, with what the record holds: a repeated question gets the same answer under a new id. */
export interface EffectReplies {
  readonly done: (reference: string) => Envelope;
  readonly refused: (reason: string) => Envelope;
}

/**
 * Does the effect once and replies. Found in progress (a crash, a lost answer), it is driven to its outcome;
 * found finished, it is answered again from the record.
 *
 * @returns a word for the log line
 */
export function performEffect<Request>(
  context: EffectContext<Request>,
  id: string,
  request: Request,
  replies: EffectReplies,
): Promise<string> {
  const tell = (reply: EffectReply): Envelope => {
    invariant(reply.type !== 'undone', 'whoever asked for an effect is not told of its undoing');
    return reply.type === 'done' ? replies.done(reply.reference) : replies.refused(reply.reason);
  };
  // Most are new: the condition of the first write costs less than a read before it.
  return run(context, { id, goal: 'do', tell }, undefined, { type: 'Do', request });
}

/**
 * Undoes the effect and replies. An intent whose outcome is not known is driven to it first. Without a record a tombstone is left.
 *
 * @param toldUndone makes the reply, from whether there was something to undo
 * @returns a word for the log line
 */
export async function undoEffect<Request>(
  context: EffectContext<Request>,
  id: string,
  toldUndone: (undone: boolean) => Envelope,
): Promise<string> {
  const record = await loadEffect<Request>(context, id);
  const tell = (reply: EffectReply): Envelope => {
    invariant(reply.type === 'undone', 'whoever asked to undo an effect is told of that alone');
    return toldUndone(reply.undone);
  };
  return run(context, { id, goal: 'undo', tell }, record, { type: 'Undo' });
}

interface Run {
  readonly id: string;
  readonly goal: EffectGoal;
  readonly tell: (reply: EffectReply) => Envelope;
}

/** Carries out what is decided, and lets it be decided again with what came of it, until it ends. */
async function run<Request>(
  context: EffectContext<Request>,
  { id, goal, tell }: Run,
  known: EffectRecord<Request> | undefined,
  first: EffectInput<Request>,
): Promise<string> {
  let record = known;
  let input = first;
  for (;;) {
    const decision = decide(record, input, context);
    switch (decision.kind) {
      case 'drive':
        input = { type: 'Drive', goal, now: context.world.now() };
        break;
      case 'call': {
        const { call } = decision;
        input = { type: 'Answered', goal, call, answer: await carryOut(context, id, call) };
        break;
      }
      case 'store': {
        const { event, reply } = decision;
        const messages = reply ? [tell(reply)] : [];
        const after = evolve(record, event, context.world.now());
        const stored = await saveEffect(context, id, { before: record, event, after }, messages);
        if (stored) record = after;
        input = { type: stored ? 'Stored' : 'Overtaken', goal, event };
        break;
      }
      case 'read again':
        record = await loadEffect(context, id);
        input = { type: 'Reread', event: decision.event };
        break;
      case 'answer again':
        await commit(context, {}, [tell(decision.reply)]);
        return `answered again: ${record?.status}`;
      case 'end':
        return decision.outcome;
      case 'retry later':
        throw new TransientError(decision.reason, `${id}: ${decision.why}`);
      case 'give up':
        throw decision.cause ?? new PermanentError(`${id}: ${decision.why}`);
      default:
        return assertNever(decision, 'decision about an effect');
    }
  }
}

/** Calls the provider, under keys that are the same on every try. @throws TransientError when it may have happened */
async function carryOut<Request>({ port }: EffectContext<Request>, id: string, call: EffectCall<Request>): Promise<EffectAnswer> {
  if (call.type === 'find') return port.find(id);
  try {
    if (call.type === 'perform') return await port.perform(call.request, `do-${id}`);
    const outcome = await port.undo(call.request, call.reference, `undo-${id}`);
    // Both kinds of outcome are answers; the compiler wants them apart.
    return outcome === 'undone' ? { outcome } : { outcome };
  } catch (error) {
    if (error instanceof RequestRefused) return { outcome: 'request refused', refusal: error };
    throw error;
  }
}
