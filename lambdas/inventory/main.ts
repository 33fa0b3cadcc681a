import { functions } from '../contract/functions.ts';
import { readEnvironment } from '../kit/env.ts';
import { connectWithQueues } from '../kit/wiring.ts';
import { createHandler } from './handler.ts';

export const handler = createHandler(readEnvironment('inventory', functions.inventory), connectWithQueues('inventory'));
