import { invalid } from '../problems.ts';
import { isDoubtful } from './operands.ts';
import { isReserved } from './reserved.ts';
import type { Assigned, Comparator, Condition, FunctionName, Operand, Parsed, Part, Path, Step, Update } from './syntax.ts';
import { tokensOf, type ExpressionKind, type Token } from './tokens.ts';

const comparators: ReadonlySet<string> = new Set(['=', '<>', '<', '<=', '>', '>=']);
/** How many operands each function takes. */
const conditionFunctions: Readonly<Record<string, number>> = {
  attribute_exists: 1,
  attribute_not_exists: 1,
  attribute_type: 2,
  begins_with: 2,
  contains: 2,
  size: 1,
};
const updateFunctions: ReadonlySet<string> = new Set(['if_not_exists', 'list_append']);
const mostOperators = 300;

/** One cache for each kind; an application has few expressions, and whoever sends other ones all the time gains nothing. */
function cached<Tree>(kind: ExpressionKind, parse: (parser: Parser) => Tree): (text: string) => Parsed<Tree> {
  const cache = new Map<string, Parsed<Tree>>();
  return (text) => {
    let parsed = cache.get(text);
    if (!parsed) {
      const parser = new Parser(kind, text);
      const tree = parse(parser);
      parser.end();
      parsed = { kind, tree, names: parser.names, values: parser.values, doubtful: parser.doubtful };
      if (cache.size >= 1000) cache.clear();
      cache.set(text, parsed);
    }
    return parsed;
  };
}

export const parseCondition = cached('ConditionExpression', (parser) => parser.condition());
export const parseFilter = cached('FilterExpression', (parser) => parser.condition());
export const parseKeyCondition = cached('KeyConditionExpression', (parser) => parser.condition());
export const parseProjection = cached('ProjectionExpression', (parser) => parser.projection());
export const parseUpdate = cached('UpdateExpression', (parser) => parser.update());

type Clauses = Omit<Update, 'paths'>;

const pathsOf = (update: Clauses): readonly Path[] => [
  ...update.set.map(({ path }) => path),
  ...update.remove,
  ...update.add.map(({ path }) => path),
  ...update.delete.map(({ path }) => path),
];

/** A recursive-descent parser for DynamoDB's expression language. Placeholders are looked up later: one text serves many requests. */
class Parser {
  readonly #kind: ExpressionKind;
  readonly #text: string;
  readonly #tokens: readonly Token[];
  readonly names = new Set<string>();
  readonly values = new Set<string>();
  readonly doubtful: Part[] = [];
  #at = 0;
  #operators = 0;

  constructor(kind: ExpressionKind, text: string) {
    this.#kind = kind;
    this.#text = text;
    this.#tokens = tokensOf(kind, text);
  }

  end(): void {
    if (this.#peek().kind !== 'end') this.#fail();
  }

  condition(): Condition {
    let left = this.#and();
    while (this.#takeWord('OR')) left = this.#counted({ kind: 'or', parts: [left, this.#and()] });
    return left;
  }

  projection(): readonly Path[] {
    const paths = [this.#path()];
    while (this.#take(',')) paths.push(this.#path());
    return paths;
  }

  update(): Update {
    const clauses: { -readonly [Clause in keyof Clauses]: Clauses[Clause][number][] } = { set: [], remove: [], add: [], delete: [] };
    const seen = new Set<string>();
    do {
      const word = this.#peek().text.toUpperCase();
      if (this.#peek().kind !== 'name' || !['SET', 'REMOVE', 'ADD', 'DELETE'].includes(word)) this.#fail();
      if (seen.has(word)) throw this.#problem(`The "${word}" section can only be used once in an update expression;`);
      seen.add(word);
      this.#at++;
      do {
        const path = this.#path();
        if (word === 'SET') {
          this.#expect('=');
          clauses.set.push({ path, to: this.#assigned() });
        } else if (word === 'REMOVE') clauses.remove.push(path);
        else (word === 'ADD' ? clauses.add : clauses.delete).push({ path, value: this.#valueRef() });
        this.#count();
      } while (this.#take(','));
    } while (this.#peek().kind !== 'end');
    return { ...clauses, paths: pathsOf(clauses) };
  }

  #and(): Condition {
    let left = this.#not();
    while (this.#takeWord('AND')) left = this.#counted({ kind: 'and', parts: [left, this.#not()] });
    return left;
  }

  #not(): Condition {
    return this.#takeWord('NOT') ? this.#counted({ kind: 'not', part: this.#not() }) : this.#primary();
  }

  #primary(): Condition {
    // `(a) = :b` and `(a = :b)` begin alike.
    if (this.#peek().text === '(' && !this.#isOperandInParentheses()) {
      this.#at++;
      const inner = this.condition();
      this.#expect(')');
      return inner;
    }
    const call = this.#call();
    if (call) return call;
    const left = this.#operand();
    const { text } = this.#peek();
    if (comparators.has(text)) {
      this.#at++;
      return this.#part({ kind: 'compare', comparator: text as Comparator, left, right: this.#operand() });
    }
    if (this.#takeWord('BETWEEN')) {
      const low = this.#operand();
      if (!this.#takeWord('AND')) this.#fail();
      return this.#part({ kind: 'between', operand: left, low, high: this.#operand() });
    }
    if (this.#takeWord('IN')) {
      this.#expect('(');
      const options = [this.#operand()];
      while (this.#take(',')) options.push(this.#operand());
      this.#expect(')');
      if (options.length > 100)
        throw this.#problem('The IN operator is provided with too many operands; number of operands: ' + String(options.length));
      return this.#part({ kind: 'in', operand: left, options });
    }
    // A size alone is no answer.
    if (left.kind === 'size') throw this.#misused('size');
    return this.#fail();
  }

  #isOperandInParentheses(): boolean {
    let at = this.#at;
    while (this.#tokens[at]!.text === '(') at++;
    const { kind } = this.#tokens[at]!;
    if (kind !== 'name' && kind !== 'nameRef' && kind !== 'valueRef') return false;
    at++;
    while (['.', '['].includes(this.#tokens[at]!.text)) at += this.#tokens[at]!.text === '.' ? 2 : 3;
    return this.#tokens[at]?.text === ')';
  }

  #call(): Condition | undefined {
    const { kind, text } = this.#peek();
    if (kind !== 'name' || this.#tokens[this.#at + 1]?.text !== '(' || text === 'size') return undefined;
    const args = this.#args(text);
    // What answers yes or no is compared with nothing.
    if (comparators.has(this.#peek().text)) throw this.#misused(text);
    return this.#part({ kind: 'call', name: text as FunctionName, args });
  }

  #args(name: string): readonly Operand[] {
    const count = conditionFunctions[name];
    if (count === undefined) {
      throw this.#problem(
        updateFunctions.has(name)
          ? `The function is not allowed in a condition expression; function: ${name}`
          : `Invalid function name; function: ${name}`,
      );
    }
    this.#at += 2;
    const args = [this.#operand()];
    while (this.#take(',')) args.push(this.#operand());
    this.#expect(')');
    if (args.length !== count) {
      throw this.#problem(
        `Incorrect number of operands for operator or function; operator or function: ${name}, number of operands: ${args.length}`,
      );
    }
    return args;
  }

  #operand(): Operand {
    const { kind, text } = this.#peek();
    if (text === '(') {
      this.#at++;
      const inner = this.#operand();
      this.#expect(')');
      return inner;
    }
    if (kind === 'valueRef') return { kind: 'value', name: this.#valueRef() };
    if (kind === 'name' && this.#tokens[this.#at + 1]?.text === '(') {
      if (text !== 'size') {
        if (conditionFunctions[text] !== undefined) throw this.#misused(text);
        throw this.#problem(`Invalid function name; function: ${text}`);
      }
      this.#count();
      return { kind: 'size', of: this.#args(text)[0]! };
    }
    return { kind: 'path', path: this.#path() };
  }

  #assigned(): Assigned {
    const left = this.#assignedOperand();
    const { text } = this.#peek();
    if (text !== '+' && text !== '-') return left;
    this.#at++;
    this.#count();
    return { kind: 'sum', sign: text === '+' ? 1 : -1, left, right: this.#assignedOperand() };
  }

  #assignedOperand(): Assigned {
    const { kind, text } = this.#peek();
    if (text === '(') {
      this.#at++;
      const inner = this.#assigned();
      this.#expect(')');
      return inner;
    }
    if (kind === 'valueRef') return { kind: 'value', name: this.#valueRef() };
    if (kind !== 'name' || this.#tokens[this.#at + 1]?.text !== '(') return { kind: 'path', path: this.#path() };
    if (text !== 'if_not_exists' && text !== 'list_append') {
      const known = conditionFunctions[text] !== undefined;
      throw this.#problem(
        known ? `The function is not allowed in an update expression; function: ${text}` : `Invalid function name; function: ${text}`,
      );
    }
    this.#at += 2;
    this.#count();
    const args = [this.#assignedOperand()];
    while (this.#take(',')) args.push(this.#assignedOperand());
    this.#expect(')');
    const [first, second] = args;
    if (args.length !== 2) {
      throw this.#problem(
        `Incorrect number of operands for operator or function; operator or function: ${text}, number of operands: ${args.length}`,
      );
    }
    if (text === 'list_append') return { kind: 'list_append', first: first!, second: second! };
    if (first?.kind !== 'path') throw this.#problem('Operator or function requires a document path; operator or function: if_not_exists');
    return { kind: 'if_not_exists', path: first.path, otherwise: second! };
  }

  #path(): Path {
    const steps: Step[] = [this.#name()];
    for (;;) {
      if (this.#take('.')) steps.push(this.#name());
      else if (this.#take('[')) {
        const { kind, text } = this.#peek();
        if (kind !== 'number') this.#fail();
        this.#at++;
        this.#expect(']');
        steps.push(Number(text));
      } else return steps;
    }
  }

  #name(): string {
    const { kind, text } = this.#peek();
    if (kind !== 'name' && kind !== 'nameRef') this.#fail();
    this.#at++;
    if (kind === 'nameRef') this.names.add(text);
    else if (isReserved(text)) throw this.#problem(`Attribute name is a reserved keyword; reserved keyword: ${text}`);
    return text;
  }

  #valueRef(): string {
    const { kind, text } = this.#peek();
    if (kind !== 'valueRef') this.#fail();
    this.#at++;
    this.values.add(text);
    return text;
  }

  #part(part: Part): Part {
    if (isDoubtful(part)) this.doubtful.push(part);
    return this.#counted(part);
  }

  #counted<Node>(node: Node): Node {
    this.#count();
    return node;
  }

  #count(): void {
    if (++this.#operators > mostOperators) {
      throw this.#problem(`The expression contains too many operators; operator count: ${this.#operators}`);
    }
  }

  #peek(): Token {
    return this.#tokens[this.#at]!;
  }

  #take(text: string): boolean {
    if (this.#peek().text !== text || this.#peek().kind !== 'operator') return false;
    this.#at++;
    return true;
  }

  #takeWord(word: string): boolean {
    if (this.#peek().kind !== 'name' || this.#peek().text.toUpperCase() !== word) return false;
    this.#at++;
    return true;
  }

  #expect(text: string): void {
    if (!this.#take(text)) this.#fail();
  }

  #misused(name: string): Error {
    return this.#problem(`The function is not allowed to be used this way in an expression; function: ${name}`);
  }

  #problem(what: string): Error {
    return invalid(`Invalid ${this.#kind}: ${what}`);
  }

  #fail(): never {
    const token = this.#peek();
    const from = this.#tokens[Math.max(0, this.#at - 1)]!.at;
    const next = this.#tokens[Math.min(this.#tokens.length - 1, this.#at + 1)]!;
    const to = next.kind === 'end' ? this.#text.length : next.at + next.text.length;
    throw this.#problem(`Syntax error; token: "${token.text}", near: "${this.#text.slice(from, to)}"`);
  }
}
