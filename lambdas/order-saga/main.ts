import { functions } from '../contract/functions.ts';
import { readEnvironment } from '../kit/env.ts';
import { connectWithQueues } from '../kit/wiring.ts';
import { createHandler } from './handler.ts';

const environment = readEnvironment('order-saga', functions['order-saga']);
export const handler = createHandler(environment, connectWithQueues('order-saga', environment));
