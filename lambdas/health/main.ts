import { functions } from '../contract/functions.ts';
import { readEnvironment } from '../kit/env.ts';
import { injectedFaults } from '../kit/faults.ts';
import { createTelemetry } from '../kit/telemetry.ts';
import { systemWorld } from '../kit/world.ts';
import { createHandler } from './handler.ts';

const environment = readEnvironment('health', functions.health);
export const handler = createHandler(environment, {
  telemetry: createTelemetry('health', environment.STAGE),
  world: systemWorld,
  faults: injectedFaults(systemWorld),
});
