import { array, assert, boolean, nat, property, tuple } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Heap, type Placed } from '../src/sqs/heap.ts';

interface Item extends Placed {
  readonly key: number;
}
const itemOf = (key: number): Item => ({ key, place: 0, agePlace: 0 });

describe('a heap', () => {
  it('has the least item first, whatever is taken out of its middle', () => {
    assert(
      property(array(tuple(nat(20), boolean(), nat(1000))), (steps) => {
        const heap = new Heap<Item>('agePlace', (a, b) => a.key < b.key);
        const inside: Item[] = [];
        for (const [key, puts, which] of steps) {
          if (puts || inside.length === 0) {
            inside.push(itemOf(key));
            heap.push(inside.at(-1)!);
          } else heap.remove(inside.splice(which % inside.length, 1)[0]!);
          expect(heap.size).toBe(inside.length);
          expect(heap.first?.key).toBe(inside.length > 0 ? Math.min(...inside.map((item) => item.key)) : undefined);
        }
      }),
    );
  });

  it('of a hundred thousand compares a few dozen items for each that comes and goes', () => {
    let compared = 0;
    const heap = new Heap<Item>('place', (a, b) => {
      compared++;
      return a.key < b.key;
    });
    const items = Array.from({ length: 100_000 }, (_, i) => itemOf((i * 7919) % 100_003));
    for (const item of items) heap.push(item);
    compared = 0;
    for (let i = 0; i < 1000; i++) {
      const item = items[i * 97]!;
      heap.remove(item);
      heap.push(item);
    }
    expect(compared / 1000).toBeLessThan(70);
  });
});
