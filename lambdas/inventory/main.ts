import { functions } from '../contract/functions.ts';
import { readEnvironment } from '@outbox-saga/kit/function/environment';
import { connectWithQueues } from '@outbox-saga/kit/function/wiring';
import { createHandler } from './handler.ts';

const environment = readEnvironment('inventory', functions.inventory);
export const handler = createHandler(environment, connectWithQueues('inventory', environment));
