import { AwsError } from '../aws-error.ts';
import { missing } from './errors.ts';

/** A parsed request, or a part of one. Nothing is known of what is in it. */
export type Input = Readonly<Record<string, unknown>>;

const kindOf = (value: unknown): string => {
  if (Array.isArray(value)) return 'START_ARRAY';
  if (typeof value === 'boolean') return value ? 'TRUE_VALUE' : 'FALSE_VALUE';
  return typeof value === 'object' ? 'START_OBJECT' : `${typeof value}_VALUE`.toUpperCase();
};
const mistyped = (value: unknown, type: string): AwsError =>
  new AwsError('SerializationException', `${kindOf(value)} can not be converted to ${type}`);

export function textOf(input: Input, name: string): string | undefined {
  const value = input[name] ?? undefined;
  if (value !== undefined && typeof value !== 'string') throw mistyped(value, 'a String');
  return value;
}

/** @throws AwsError also when it is empty, as AWS takes that for missing */
export function requiredText(input: Input, name: string): string {
  const value = textOf(input, name);
  if (!value) throw missing(name);
  return value;
}

export function integerOf(input: Input, name: string): number | undefined {
  const value = input[name] ?? undefined;
  if (value === undefined) return undefined;
  if (typeof value !== 'number' || !Number.isFinite(value)) throw mistyped(value, 'an Integer');
  return Math.trunc(value);
}

export function recordOf(input: Input, name: string): Input {
  const value = input[name] ?? {};
  if (typeof value !== 'object' || Array.isArray(value)) throw mistyped(value, 'an Object');
  return value as Input;
}

export function listOf(input: Input, name: string): readonly unknown[] {
  const value = input[name] ?? [];
  if (!Array.isArray(value)) throw mistyped(value, 'a List');
  return value;
}

export function textsOf(input: Input, name: string): readonly string[] {
  return listOf(input, name).map((value) => {
    if (typeof value !== 'string') throw mistyped(value, 'a String');
    return value;
  });
}

/** A map of texts, such as attributes or tags. */
export function textMapOf(input: Input, name: string): Readonly<Record<string, string>> {
  const record = recordOf(input, name);
  for (const key of Object.keys(record)) textOf(record, key);
  return record as Readonly<Record<string, string>>;
}

export function entriesOf(input: Input): readonly Input[] {
  return listOf(input, 'Entries').map((value) => {
    if (typeof value !== 'object' || value === null) throw mistyped(value, 'an Object');
    return value as Input;
  });
}
