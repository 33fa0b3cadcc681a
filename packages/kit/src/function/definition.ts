import type * as z from 'zod';
import type { Durations } from '../messages/durations.ts';

/** One Lambda function: deploy time builds it from this, run time reads its environment by the same schema. */
export interface FunctionDefinition<Environment extends z.ZodObject = z.ZodObject> {
  /** Source file, relative to the project's root; it exports `handler`. */
  readonly entry: string;
  /** Memory in MB; CPU grows with it (1,769 MB = one vCPU). */
  readonly memoryMb: number;
  /** Its time limit, in seconds, from the durations of a stage. */
  readonly timeoutSeconds: (durations: Durations) => number;
  /** Schema of its environment variables: all are strings on the way in. */
  readonly environment: Environment;
}
