import * as z from 'zod';

const cursorSchema = z.strictObject({ c: z.string(), s: z.string().optional(), p: z.string() });

/** Where a list goes on: bound to its customer and status, so that it cannot be used for another list. */
export interface Cursor {
  readonly customerId: string;
  readonly status: string | undefined;
  readonly placedOrder: string;
}

export function encodeCursor({ customerId, status, placedOrder }: Cursor): string {
  return Buffer.from(JSON.stringify({ c: customerId, s: status, p: placedOrder })).toString('base64url');
}

/** @returns undefined when the text is no cursor of this very list */
export function decodeCursor(text: string, customerId: string, status: string | undefined): Cursor | undefined {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(text, 'base64url').toString('utf8'));
  } catch {
    return undefined;
  }
  const parsed = cursorSchema.safeParse(value);
  if (!parsed.success || parsed.data.c !== customerId || parsed.data.s !== status) return undefined;
  if (!/^\d{15}#ord_[0-9A-HJKMNP-TV-Z]{26}$/.test(parsed.data.p)) return undefined;
  return { customerId, status, placedOrder: parsed.data.p };
}
