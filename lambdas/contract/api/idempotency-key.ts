import * as z from 'zod';

/**
 * Idempotency-Key: 1 to 255 visible ASCII characters.
 *
 * @param missing what a request without one is told
 */
export const idempotencyKey = (missing?: string): z.ZodString =>
  z.string(missing).regex(/^[!-~]{1,255}$/, 'must be 1 to 255 visible ASCII characters');
