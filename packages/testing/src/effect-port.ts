import { describe, expect, it } from 'vitest';
import { TransientError } from '@outbox-saga/kit/errors';
import type { EffectPort } from '@outbox-saga/kit/effects/effect-port';

/** An adapter and its provider. Ids are fresh for each test. */
export interface EffectPortSubject<Request> {
  /** What the provider does when it is asked under this id. */
  readonly request: (id: string) => Request;
  /** What it refuses. Default: it refuses nothing. */
  readonly refused?: (id: string) => Request;
  /** What it does, and whose first answer is lost. Default: its answers are not lost. */
  readonly lost?: (id: string) => Request;
  /** Asked in each test, once it has begun. */
  readonly connect: () => {
    readonly port: EffectPort<Request>;
    /** How often something was really done and undone, in the provider's own books. */
    readonly books: (id: string) => Promise<{ readonly done: number; readonly undone: number }>;
  };
}

/**
 * What every adapter of a provider must do, whatever the provider speaks: an effect relies on it.
 *
 * @param name of the adapter
 * @example
 * effectPortSuite('our gateway', { request: (id) => ({ orderId: id, amount: 5 }), connect: () => ({ port: ourGateway(options), books: (id) => ledger.count(id) }) });
 */
export function effectPortSuite<Request>(name: string, { request, refused, lost, connect }: EffectPortSubject<Request>): void {
  let ids = 0;
  const fresh = (): string => `${name.replaceAll(/\W+/g, '-')}-${++ids}`;
  const key = (what: 'do' | 'undo', id: string): string => `${what}-${id}`;

  async function done(port: EffectPort<Request>, id: string, asked = request(id)): Promise<string> {
    const answer = await port.perform(asked, key('do', id));
    if (answer.outcome !== 'done') throw new Error(`${name} did not do it: ${JSON.stringify(answer)}`);
    return answer.reference;
  }

  describe(`${name} as a port of effects`, () => {
    it('does it once under one key, however often it is asked, and names it the same', async () => {
      const { port, books } = connect();
      const id = fresh();
      const reference = await done(port, id);
      expect(reference).not.toBe('');
      expect(await done(port, id)).toBe(reference);
      expect(await books(id)).toEqual({ done: 1, undone: 0 });
    });

    it('finds what was done, under the name that it was given', async () => {
      const { port } = connect();
      const id = fresh();
      const reference = await done(port, id);
      expect(await port.find(id)).toEqual({ outcome: 'done', reference });
    });

    it('finds no trace of what it was never asked', async () => {
      const { port } = connect();
      await done(port, fresh());
      expect(await port.find(fresh())).toEqual({ outcome: 'unknown' });
    });

    it('undoes it once, however often it is asked, and finds it undone', async () => {
      const { port, books } = connect();
      const id = fresh();
      const reference = await done(port, id);
      for (let i = 0; i < 2; i++) expect(await port.undo(request(id), reference, key('undo', id))).toBe('undone');
      expect(await books(id)).toEqual({ done: 1, undone: 1 });
      expect(await port.find(id)).toEqual({ outcome: 'undone', reference });
    });

    if (refused) {
      it('refuses with a reason, and has done nothing', async () => {
        const { port, books } = connect();
        const id = fresh();
        const answer = await port.perform(refused(id), key('do', id));
        expect(answer).toEqual({ outcome: 'refused', reason: expect.stringMatching(/./) as string });
        expect(await port.perform(refused(id), key('do', id))).toEqual(answer);
        expect(await books(id)).toEqual({ done: 0, undone: 0 });
        expect((await port.find(id)).outcome).toMatch(/^(refused|unknown)$/);
      });
    }

    if (lost) {
      it('says that it may have happened when an answer is lost, and tells the outcome to whoever asks again', async () => {
        const { port, books } = connect();
        const id = fresh();
        await expect(port.perform(lost(id), key('do', id))).rejects.toBeInstanceOf(TransientError);
        const found = await port.find(id);
        expect(found).toEqual({ outcome: 'done', reference: await done(port, id, lost(id)) });
        expect(await books(id)).toEqual({ done: 1, undone: 0 });
      });
    }
  });
}
