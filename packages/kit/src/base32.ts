/** Crockford's alphabet: no I, L, O or U, so that an id survives being read aloud. */
const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

/** The lowest `length` × 5 bits of a number, most significant first: texts of one length sort as their numbers do. */
export function toBase32(value: bigint, length: number): string {
  let text = '';
  for (let rest = value, i = 0; i < length; i++, rest >>= 5n) text = alphabet[Number(rest & 31n)]! + text;
  return text;
}

/** The number in a text of at most ten characters. */
export function fromBase32(text: string): number {
  return Array.from(text).reduce((value, character) => value * 32 + alphabet.indexOf(character), 0);
}
