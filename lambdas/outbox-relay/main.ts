import { functions } from '../contract/functions.ts';
import { readEnvironment } from '@outbox-saga/kit/function/environment';
import { connectWithQueues } from '@outbox-saga/kit/function/wiring';
import { createHandler } from './handler.ts';

const environment = readEnvironment('outbox-relay', functions['outbox-relay']);
export const handler = createHandler(environment, connectWithQueues('outbox-relay', environment));
