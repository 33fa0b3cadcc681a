import { invalid } from '../problems.ts';

export type TokenKind = 'name' | 'nameRef' | 'valueRef' | 'number' | 'operator' | 'end';

export interface Token {
  readonly kind: TokenKind;
  readonly text: string;
  readonly at: number;
}

/** Which parameter of a request an expression is, as AWS names it. */
export type ExpressionKind =
  | 'ConditionExpression'
  | 'FilterExpression'
  | 'KeyConditionExpression'
  | 'ProjectionExpression'
  | 'UpdateExpression';

const pattern = /\s+|([A-Za-z_]\w*)|(#\w+)|(:\w+)|(\d+)|(<>|<=|>=|[=<>()[\],.+-])/gy;
const kinds: readonly TokenKind[] = ['name', 'nameRef', 'valueRef', 'number', 'operator'];
const mostBytes = 4096;

/** @throws ValidationException for an empty or too long text, and for a character that no token begins with */
export function tokensOf(kind: ExpressionKind, text: string): readonly Token[] {
  if (text.trim() === '') throw invalid(`Invalid ${kind}: The expression can not be empty;`);
  const bytes = Buffer.byteLength(text);
  if (bytes > mostBytes) throw invalid(`Invalid ${kind}: Expression size has exceeded the maximum allowed size; expression size: ${bytes}`);
  const tokens: Token[] = [];
  pattern.lastIndex = 0;
  while (pattern.lastIndex < text.length) {
    const at = pattern.lastIndex;
    const match = pattern.exec(text);
    if (!match) {
      const next = /^\s*(?:[#:]?\w+|\S)?/.exec(text.slice(at + 1))![0].trimEnd();
      const near = `${text.slice(tokens.at(-1)?.at ?? at, at + 1)}${next}`;
      throw invalid(`Invalid ${kind}: Syntax error; token: "${text[at]}", near: "${near}"`);
    }
    const found = match.slice(1).findIndex((group) => group !== undefined);
    if (found >= 0) tokens.push({ kind: kinds[found]!, text: match[0], at });
  }
  tokens.push({ kind: 'end', text: '<EOF>', at: text.length });
  return tokens;
}
