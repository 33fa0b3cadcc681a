import { functions } from '../contract/functions.ts';
import { readEnvironment } from '../kit/env.ts';
import { connect } from '../kit/wiring.ts';
import { createHandler } from './sweep-handler.ts';

export const handler = createHandler(readEnvironment('order-sweep', functions['order-sweep']), connect('order-sweep'));
