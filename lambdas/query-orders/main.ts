import { functions } from '../contract/functions.ts';
import { readEnvironment } from '../kit/env.ts';
import { connect } from '../kit/wiring.ts';
import { createHandler } from './handler.ts';

const environment = readEnvironment('query-orders', functions['query-orders']);
export const handler = createHandler(environment, connect('query-orders', environment));
