import { functions } from '../contract/functions.ts';
import { readEnvironment } from '../kit/env.ts';
import { connectWithQueues } from '../kit/wiring.ts';
import { createHandler } from './handler.ts';

const environment = readEnvironment('outbox-publisher', functions['outbox-publisher']);
export const handler = createHandler(environment, connectWithQueues('outbox-publisher', environment));
