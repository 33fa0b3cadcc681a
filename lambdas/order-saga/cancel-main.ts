import { functions } from '../contract/functions.ts';
import { readEnvironment } from '../kit/env.ts';
import { connect } from '../kit/wiring.ts';
import { createHandler } from './cancel-handler.ts';

const environment = readEnvironment('order-cancel', functions['order-cancel']);
export const handler = createHandler(environment, connect('order-cancel', environment));
