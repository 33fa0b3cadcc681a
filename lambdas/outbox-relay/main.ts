import { functions } from '../contract/functions.ts';
import { readEnvironment } from '../kit/env.ts';
import { connectWithQueues } from '../kit/wiring.ts';
import { createHandler } from './handler.ts';

const environment = readEnvironment('outbox-relay', functions['outbox-relay']);
export const handler = createHandler(environment, connectWithQueues('outbox-relay', environment));
