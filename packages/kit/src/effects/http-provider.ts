import * as z from 'zod';
import { TransientError } from '../errors.ts';
import type { EffectPort } from './effect-port.ts';
import { callProvider, type ProviderOptions } from './provider.ts';

/** How one kind of provider speaks: its paths, bodies and words (docs/providers.md is the written contract). */
export interface ProviderProtocol<Request> {
  /** For errors: `gateway`, `carrier`. */
  readonly name: string;
  /** What it calls the outcomes: `captured`, `declined`, `refunded`. */
  readonly words: { readonly done: string; readonly refused: string; readonly undone: string };
  /** The member of its answers that names what was done. */
  readonly reference: string;
  readonly perform: (request: Request) => HttpCall;
  readonly undo: (request: Request, reference: string) => HttpCall;
  /** The path of the look-up. */
  readonly find: (id: string) => string;
}

interface HttpCall {
  readonly path: string;
  readonly body: unknown;
}

/** A provider behind HTTP, as an effect: its words become those of `EffectPort`. */
export function httpProvider<Request>(options: ProviderOptions, protocol: ProviderProtocol<Request>): EffectPort<Request> {
  const { words, reference } = protocol;
  const member = z.string().min(1).max(200);
  const done = z
    .object({ outcome: z.literal(words.done), [reference]: member })
    .transform((answer) => ({ outcome: 'done' as const, reference: String(answer[reference]) }));
  const refused = z
    .object({ outcome: z.literal(words.refused), reason: z.string().max(300) })
    .transform(({ reason }) => ({ outcome: 'refused' as const, reason }));
  const undone = z
    .object({ outcome: z.literal(words.undone), [reference]: member })
    .transform((answer) => ({ outcome: 'undone' as const, reference: String(answer[reference]) }));
  const pending = z.object({ outcome: z.literal('pending') });
  const performed = z.union([done, refused, pending]);
  const found = z.union([done, refused, pending, undone]);
  const undoAnswer = z.object({ outcome: z.enum([words.undone, 'pending']) });

  async function post<Schema extends z.ZodType>(
    { path, body }: HttpCall,
    idempotencyKey: string,
    schema: Schema,
  ): Promise<z.infer<Schema>> {
    const answer = await callProvider(options, { method: 'POST', path, idempotencyKey, body }, schema);
    if (answer === undefined) throw new TransientError('unavailable', `POST ${path}: the ${protocol.name} answered 404`);
    return answer;
  }

  return {
    perform: (request, key) => post(protocol.perform(request), key, performed),
    undo: async (request, tracked, key) => {
      const { outcome } = await post(protocol.undo(request, tracked), key, undoAnswer);
      return outcome === words.undone ? 'undone' : 'pending';
    },
    find: async (id) => (await callProvider(options, { method: 'GET', path: protocol.find(id) }, found)) ?? { outcome: 'unknown' },
  };
}
