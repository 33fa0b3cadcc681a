import { invalid } from './problems.ts';

/**
 * A number that JavaScript's own cannot hold exactly: up to 38 significant digits. Every value has exactly one form: a JavaScript number when that holds
 * it (a safe integer, or at most 15 digits), and this otherwise.
 */
export class BigDecimal {
  /** Has no zeros at its end. The value is `coefficient × 10^exponent`. */
  readonly coefficient: bigint;
  readonly exponent: number;

  constructor(coefficient: bigint, exponent: number) {
    this.coefficient = coefficient;
    this.exponent = exponent;
  }
}

export type Numeric = number | BigDecimal;

const mostDigits = 38;
/** DynamoDB: magnitudes from 1E-130 to 9.99…E+125. */
const [leastMagnitude, mostMagnitude] = [-130, 125];
const form = /^([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d+))?$/;

/** @throws ValidationException for what is no number, or none that DynamoDB holds */
export function parseNumber(text: string): Numeric {
  const quick = quickly(text);
  if (quick !== undefined) return quick;
  const match = form.exec(text);
  const [, sign = '', whole = '', fraction = '', power = '0'] = match ?? [];
  if (!match || whole + fraction === '') {
    throw invalid(
      text === ''
        ? 'The parameter cannot be converted to a numeric value'
        : `The parameter cannot be converted to a numeric value: ${text}`,
    );
  }
  const digits = `${whole}${fraction}`.replace(/^0+/, '');
  const exponent = Number(power) - fraction.length;
  return numberOf({ negative: sign === '-', digits, exponent });
}

/** Most numbers are small integers, written as JavaScript writes them. */
function quickly(text: string): number | undefined {
  if (text.length > 15) return undefined;
  const value = Number(text);
  return Number.isSafeInteger(value) && String(value) === text ? value : undefined;
}

interface Parts {
  readonly negative: boolean;
  readonly digits: string;
  readonly exponent: number;
}

function numberOf({ negative, digits, exponent }: Parts): Numeric {
  const significant = digits.replace(/0+$/, '');
  if (significant === '') return 0;
  const shifted = exponent + digits.length - significant.length;
  const magnitude = shifted + significant.length - 1;
  const range = 'Attempting to store a number with magnitude';
  if (significant.length > mostDigits) throw invalid('Attempting to store more than 38 significant digits in a Number');
  if (magnitude > mostMagnitude) throw invalid(`Number overflow. ${range} larger than supported range`);
  if (magnitude < leastMagnitude) throw invalid(`Number underflow. ${range} smaller than supported range`);
  if (significant.length <= 16) {
    const value = Number(`${negative ? '-' : ''}${significant}e${shifted}`);
    if (significant.length <= 15 || Number.isSafeInteger(value)) return value;
  }
  return new BigDecimal(BigInt(`${negative ? '-' : ''}${significant}`), shifted);
}

/** The one form of a JavaScript number, which may have more digits than it says exactly. */
export function normalNumber(value: number): Numeric {
  return Number.isSafeInteger(value) ? value + 0 : parseNumber(String(value));
}

function decimalOf(value: Numeric): BigDecimal {
  if (value instanceof BigDecimal) return value;
  if (Number.isSafeInteger(value)) return new BigDecimal(BigInt(value), 0);
  const [, sign = '', whole = '', fraction = '', power = '0'] = form.exec(String(value))!;
  return new BigDecimal(BigInt(`${sign}${whole}${fraction}`), Number(power) - fraction.length);
}

/** Both with the same exponent. */
function aligned(a: Numeric, b: Numeric): { a: bigint; b: bigint; exponent: number } {
  const [left, right] = [decimalOf(a), decimalOf(b)];
  const exponent = Math.min(left.exponent, right.exponent);
  const scaled = ({ coefficient, exponent: own }: BigDecimal): bigint => coefficient * 10n ** BigInt(own - exponent);
  return { a: scaled(left), b: scaled(right), exponent };
}

export function compareNumbers(a: Numeric, b: Numeric): number {
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  const both = aligned(a, b);
  return both.a < both.b ? -1 : both.a > both.b ? 1 : 0;
}

/** @param sign -1 subtracts @throws ValidationException when the result is none that DynamoDB holds */
export function addNumbers(a: Numeric, b: Numeric, sign: 1 | -1 = 1): Numeric {
  if (typeof a === 'number' && typeof b === 'number') {
    const sum = a + sign * b;
    if (Number.isSafeInteger(a) && Number.isSafeInteger(b) && Number.isSafeInteger(sum)) return sum;
  }
  const both = aligned(a, b);
  const sum = both.a + BigInt(sign) * both.b;
  return numberOf({ negative: sum < 0n, digits: String(sum < 0n ? -sum : sum), exponent: both.exponent });
}

/** As DynamoDB answers: without an exponent. */
export function formatNumber(value: Numeric): string {
  if (typeof value === 'number' && Number.isSafeInteger(value)) return String(value + 0);
  const { coefficient, exponent } = decimalOf(value);
  const sign = coefficient < 0n ? '-' : '';
  const digits = String(coefficient < 0n ? -coefficient : coefficient);
  if (exponent >= 0) return `${sign}${digits}${'0'.repeat(exponent)}`;
  const padded = digits.padStart(1 - exponent, '0');
  const fraction = padded.slice(exponent).replace(/0+$/, '');
  return `${sign}${padded.slice(0, exponent)}${fraction === '' ? '' : `.${fraction}`}`;
}

/** Text whose order is that of the numbers. */
export function sortableNumber(value: Numeric): string {
  const { coefficient, exponent } = decimalOf(value);
  if (coefficient === 0n) return '1';
  const all = String(coefficient < 0n ? -coefficient : coefficient);
  const magnitude = exponent + all.length + 500;
  const digits = all.replace(/0+$/, '');
  if (coefficient > 0n) return `2${String(magnitude).padStart(3, '0')}${digits}`;
  const complement = digits.replaceAll(/\d/g, (digit) => String(9 - Number(digit)));
  // Of two that begin alike, the longer one is the smaller.
  return `0${String(999 - magnitude).padStart(3, '0')}${complement}~`;
}

/** DynamoDB counts about a byte for two digits, and one more; a sign costs one. */
export function numberBytes(value: Numeric): number {
  if (value === 0) return 1;
  const digits = typeof value === 'number' && Number.isSafeInteger(value) ? String(value) : String(decimalOf(value).coefficient);
  const sign = digits.startsWith('-') ? 1 : 0;
  let end = digits.length;
  while (digits[end - 1] === '0') end--;
  return Math.ceil((end - sign) / 2) + 1 + sign;
}
