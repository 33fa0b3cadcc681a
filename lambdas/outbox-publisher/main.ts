import { functions } from '../contract/functions.ts';
import { readEnvironment } from '@outbox-saga/kit/function/environment';
import { connectWithQueues } from '@outbox-saga/kit/function/wiring';
import { createHandler } from './handler.ts';

const environment = readEnvironment('outbox-publisher', functions['outbox-publisher']);
export const handler = createHandler(environment, connectWithQueues('outbox-publisher', environment));
