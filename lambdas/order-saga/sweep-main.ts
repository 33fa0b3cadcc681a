import { functions } from '../contract/functions.ts';
import { readEnvironment } from '../kit/env.ts';
import { connect } from '../kit/wiring.ts';
import { createHandler } from './sweep-handler.ts';

const environment = readEnvironment('order-sweep', functions['order-sweep']);
export const handler = createHandler(environment, connect('order-sweep', environment));
