import { functions } from '../contract/functions.ts';
import { readEnvironment } from '../kit/env.ts';
import { injectedFaults } from '../kit/faults.ts';
import { createTelemetry } from '../kit/telemetry.ts';
import { systemWorld } from '../kit/world.ts';
import { createHandler } from './handler.ts';

export const handler = createHandler(readEnvironment('health', functions.health), {
  telemetry: createTelemetry('health'),
  world: systemWorld,
  faults: injectedFaults(systemWorld),
});
