import { functions } from '../contract/functions.ts';
import { readEnvironment } from '@outbox-saga/kit/function/environment';
import { injectedFaults } from '@outbox-saga/kit/function/faults';
import { createTelemetry } from '@outbox-saga/kit/telemetry/telemetry';
import { systemWorld } from '@outbox-saga/kit/function/world';
import { createHandler } from './handler.ts';

// Not `start`: its bundle does without any AWS client.
const environment = readEnvironment('health', functions.health);
export const handler = createHandler(environment, {
  telemetry: createTelemetry('health', environment.STAGE),
  world: systemWorld,
  faults: injectedFaults(systemWorld),
});
