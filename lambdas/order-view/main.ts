import { functions } from '../contract/functions.ts';
import { readEnvironment } from '../kit/env.ts';
import { connectWithQueues } from '../kit/wiring.ts';
import { createHandler } from './handler.ts';

const environment = readEnvironment('order-view', functions['order-view']);
export const handler = createHandler(environment, connectWithQueues('order-view', environment));
