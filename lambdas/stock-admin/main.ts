import { functions } from '../contract/functions.ts';
import { readEnvironment } from '../kit/env.ts';
import { connect } from '../kit/wiring.ts';
import { createHandler } from './handler.ts';

const environment = readEnvironment('stock-admin', functions['stock-admin']);
export const handler = createHandler(environment, connect('stock-admin', environment));
