/** An item as the document client shows it. */
export type Item = Readonly<Record<string, unknown>>;

/** What an expression's `#name` and `:value` stand for. */
export interface Bindings {
  readonly names: Readonly<Record<string, string>>;
  readonly values: Readonly<Record<string, unknown>>;
}

/** DynamoDB refuses an expression that it cannot read, or that a write makes nonsense of. */
export class InvalidExpression extends Error {
  override readonly name = 'ValidationException';
}

type Operand = (item: Item, bindings: Bindings) => unknown;
export type Condition = (item: Item, bindings: Bindings) => boolean;
export type Update = (item: Item, bindings: Bindings) => Item;

const compiledConditions = new Map<string, Condition>();
const compiledUpdates = new Map<string, Update>();
const always: Condition = () => true;

/** Compiles a condition, filter or key condition. Each text is parsed once. */
export function conditionOf(text: string | undefined): Condition {
  if (text === undefined) return always;
  let compiled = compiledConditions.get(text);
  if (!compiled) {
    const parser = new Parser(text);
    compiled = parser.or();
    parser.end();
    compiledConditions.set(text, compiled);
  }
  return compiled;
}

/** Compiles an update expression. Each text is parsed once. */
export function updateOf(text: string): Update {
  let compiled = compiledUpdates.get(text);
  if (!compiled) {
    compiled = new Parser(text).update();
    compiledUpdates.set(text, compiled);
  }
  return compiled;
}

/** The value that a key condition demands of the partition key, whatever else it says. */
export function partitionValue(text: string, attribute: string, bindings: Bindings): unknown {
  for (const [, left, right] of text.matchAll(/(#?\w+)\s*=\s*(:\w+)/g)) {
    if (nameOf(left!, bindings) === attribute) return valueOf(right!, bindings);
  }
  throw new InvalidExpression(`key condition "${text}" does not name ${attribute}`);
}

export function nameOf(token: string, { names }: Bindings): string {
  if (!token.startsWith('#')) return token;
  const name = names[token];
  if (name === undefined) throw new InvalidExpression(`${token} is not in ExpressionAttributeNames`);
  return name;
}

function valueOf(token: string, { values }: Bindings): unknown {
  if (!(token in values)) throw new InvalidExpression(`${token} is not in ExpressionAttributeValues`);
  return values[token];
}

/** The member at a path such as `#request.shipTo`. */
function memberAt(item: Item, path: string, bindings: Bindings): unknown {
  if (!path.includes('.')) return item[nameOf(path, bindings)];
  let at: unknown = item;
  for (const name of path.split('.')) at = (at as Item | undefined)?.[nameOf(name, bindings)];
  return at;
}

/** Sets the member at a path, or removes it. What lies on the way is copied, for an item that is stored never changes. */
function setMember(item: Record<string, unknown>, path: string, value: unknown, bindings: Bindings): void {
  const names = path.split('.').map((name) => nameOf(name, bindings));
  const last = names.pop()!;
  let at = item;
  for (const name of names) {
    const inner = at[name];
    if (inner === null || typeof inner !== 'object')
      throw new InvalidExpression('the document path provided in the update expression is invalid for update');
    at = at[name] = { ...inner } as Record<string, unknown>;
  }
  if (value === undefined) delete at[last];
  else at[last] = value;
}

const order: Readonly<Record<string, (a: number | string, b: number | string) => boolean>> = {
  '<': (a, b) => a < b,
  '<=': (a, b) => a <= b,
  '>': (a, b) => a > b,
  '>=': (a, b) => a >= b,
};

function compare(operator: string, a: unknown, b: unknown): boolean {
  if (operator === '=') return a !== undefined && a === b;
  if (operator === '<>') return a !== b;
  // Values of different types are in no order.
  if (typeof a !== typeof b || (typeof a !== 'number' && typeof a !== 'string')) return false;
  return order[operator]!(a, b as never);
}

/** A recursive-descent parser for the part of DynamoDB's expression language that these stores need: names and paths into maps, no lists. */
class Parser {
  readonly #tokens: readonly string[];
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
    this.#tokens = text.match(/[#:]?\w+(?:\.#?\w+)*|<>|<=|>=|[=<>(),+-]/g) ?? [];
  }

  end(): void {
    if (this.#at < this.#tokens.length) this.#fail();
  }

  or(): Condition {
    let left = this.#and();
    while (this.#take('OR')) {
      const [a, b] = [left, this.#and()];
      left = (item, bindings) => a(item, bindings) || b(item, bindings);
    }
    return left;
  }

  #and(): Condition {
    let left = this.#not();
    while (this.#take('AND')) {
      const [a, b] = [left, this.#not()];
      left = (item, bindings) => a(item, bindings) && b(item, bindings);
    }
    return left;
  }

  #not(): Condition {
    if (!this.#take('NOT')) return this.#test();
    const inner = this.#not();
    return (item, bindings) => !inner(item, bindings);
  }

  #test(): Condition {
    if (this.#take('(')) {
      const inner = this.or();
      this.#expect(')');
      return inner;
    }
    const token = this.#peek();
    if (token === 'attribute_exists' || token === 'attribute_not_exists') {
      this.#at++;
      this.#expect('(');
      const path = this.#next();
      this.#expect(')');
      const exists = token === 'attribute_exists';
      return (item, bindings) => (memberAt(item, path, bindings) !== undefined) === exists;
    }
    if (token === 'begins_with') {
      this.#at++;
      this.#expect('(');
      const left = this.#operand();
      this.#expect(',');
      const right = this.#operand();
      this.#expect(')');
      return (item, bindings) => String(left(item, bindings) ?? '').startsWith(String(right(item, bindings)));
    }
    const left = this.#operand();
    if (this.#take('IN')) {
      this.#expect('(');
      const members = [this.#operand()];
      while (this.#take(',')) members.push(this.#operand());
      this.#expect(')');
      return (item, bindings) => members.some((member) => compare('=', left(item, bindings), member(item, bindings)));
    }
    const operator = this.#next();
    if (!/^(=|<>|<=|>=|<|>)$/.test(operator)) this.#fail();
    const right = this.#operand();
    return (item, bindings) => compare(operator, left(item, bindings), right(item, bindings));
  }

  #operand(): Operand {
    const token = this.#next();
    if (token === 'if_not_exists') {
      this.#expect('(');
      const path = this.#operand();
      this.#expect(',');
      const fallback = this.#operand();
      this.#expect(')');
      return (item, bindings) => path(item, bindings) ?? fallback(item, bindings);
    }
    if (token.startsWith(':')) return (_item, bindings) => valueOf(token, bindings);
    if (!/^#?\w+(\.#?\w+)*$/.test(token)) this.#fail();
    return (item, bindings) => memberAt(item, token, bindings);
  }

  update(): Update {
    const steps: ((before: Item, after: Record<string, unknown>, bindings: Bindings) => void)[] = [];
    while (this.#at < this.#tokens.length) {
      const clause = this.#next();
      do {
        const path = this.#next();
        if (clause === 'SET') {
          this.#expect('=');
          const value = this.#sum();
          steps.push((before, after, bindings) => {
            const result = value(before, bindings);
            if (result === undefined) throw new InvalidExpression('the expression refers to an attribute that does not exist in the item');
            setMember(after, path, result, bindings);
          });
        } else if (clause === 'REMOVE') {
          steps.push((_before, after, bindings) => setMember(after, path, undefined, bindings));
        } else if (clause === 'ADD') {
          const value = this.#operand();
          steps.push((before, after, bindings) => {
            const name = nameOf(path, bindings);
            after[name] = Number(before[name] ?? 0) + Number(value(before, bindings));
          });
        } else this.#fail();
      } while (this.#take(','));
    }
    return (item, bindings) => {
      const after = { ...item };
      for (const step of steps) step(item, after, bindings);
      return after;
    };
  }

  #sum(): Operand {
    const left = this.#operand();
    const operator = this.#peek();
    if (operator !== '+' && operator !== '-') return left;
    this.#at++;
    const right = this.#operand();
    const sign = operator === '+' ? 1 : -1;
    return (item, bindings) => {
      const [a, b] = [left(item, bindings), right(item, bindings)];
      if (typeof a !== 'number' || typeof b !== 'number') throw new InvalidExpression('an operand of the sum is no number');
      return a + sign * b;
    };
  }

  #peek(): string | undefined {
    return this.#tokens[this.#at];
  }

  #next(): string {
    return this.#tokens[this.#at++] ?? this.#fail();
  }

  #take(token: string): boolean {
    if (this.#peek() !== token) return false;
    this.#at++;
    return true;
  }

  #expect(token: string): void {
    if (!this.#take(token)) this.#fail();
  }

  #fail(): never {
    throw new InvalidExpression(`cannot read "${this.#text}" at word ${this.#at + 1} (${this.#peek() ?? 'its end'})`);
  }
}
