/** Where an item is in the heaps that it is in, so that it can be taken out of their middle. */
export interface Placed {
  /** In the heap of what is visible, or of what is hidden. */
  place: number;
  /** In the heap by age. */
  agePlace: number;
}

/** A binary heap: the first item is at hand, and any item is put in or taken out in O(log n). */
export class Heap<Item extends Placed> {
  readonly #items: Item[] = [];
  readonly #slot: keyof Placed;
  readonly #before: (a: Item, b: Item) => boolean;

  constructor(slot: keyof Placed, before: (a: Item, b: Item) => boolean) {
    this.#slot = slot;
    this.#before = before;
  }

  get size(): number {
    return this.#items.length;
  }

  get first(): Item | undefined {
    return this.#items[0];
  }

  push(item: Item): void {
    this.#rise(item, this.#items.length);
  }

  remove(item: Item): void {
    const at = item[this.#slot];
    const last = this.#items.pop()!;
    if (last === item) return;
    const parent = this.#items[(at - 1) >> 1];
    if (at > 0 && this.#before(last, parent!)) this.#rise(last, at);
    else this.#sink(last, at);
  }

  clear(): void {
    this.#items.length = 0;
  }

  #rise(item: Item, from: number): void {
    let at = from;
    while (at > 0) {
      const up = (at - 1) >> 1;
      const parent = this.#items[up]!;
      if (!this.#before(item, parent)) break;
      this.#put(parent, at);
      at = up;
    }
    this.#put(item, at);
  }

  #sink(item: Item, from: number): void {
    const size = this.#items.length;
    let at = from;
    for (;;) {
      let down = 2 * at + 1;
      if (down >= size) break;
      if (down + 1 < size && this.#before(this.#items[down + 1]!, this.#items[down]!)) down++;
      const child = this.#items[down]!;
      if (!this.#before(child, item)) break;
      this.#put(child, at);
      at = down;
    }
    this.#put(item, at);
  }

  #put(item: Item, at: number): void {
    this.#items[at] = item;
    (item as Placed)[this.#slot] = at;
  }
}
