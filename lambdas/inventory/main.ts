import { functions } from '../contract/functions.ts';
import { readEnvironment } from '../kit/env.ts';
import { connectWithQueues } from '../kit/wiring.ts';
import { createHandler } from './handler.ts';

const environment = readEnvironment('inventory', functions.inventory);
export const handler = createHandler(environment, connectWithQueues('inventory', environment));
