import { TransientError } from '../errors.ts';
import { faultVariables } from './fault-settings.ts';
import type { World } from './world.ts';

/** Faults that a function injects into itself. */
export interface InjectedFaults {
  /** Before a message, a request or a run. @throws TransientError when it is to fail */
  before(): Promise<void>;
  /** After a message was handled. @throws TransientError when its acknowledgement is to be lost */
  after(): void;
}

/**
 * The faults that the function's variables ask for (fault-settings.ts); none unless they are set. They are read each time, because the
 * local runtime changes them between invocations.
 */
export function injectedFaults(world: World, variables: NodeJS.ProcessEnv = process.env): InjectedFaults {
  const value = (variable: string): number => Number(variables[variable] || 0);
  const hits = (variable: string): boolean => variables[variable] !== undefined && world.random() < value(variable);
  return {
    before: async () => {
      const delayMs = value(faultVariables.delayMs!);
      if (delayMs > 0) await world.pause(delayMs);
      if (hits(faultVariables.failRate!)) throw new TransientError('unavailable', `an injected failure (${faultVariables.failRate})`);
    },
    after: () => {
      if (hits(faultVariables.ackLossRate!)) {
        throw new TransientError('unavailable', `an injected loss of the acknowledgement (${faultVariables.ackLossRate})`);
      }
    },
  };
}
