import * as z from 'zod';
import { orderIdSchema } from '../order.ts';
import { problems } from '../problems.ts';

/** The path of one order. What is no order id names no order. */
export const orderPath = { path: z.object({ id: orderIdSchema }), pathProblem: problems.orderNotFound } as const;
