import { functions } from '../contract/functions.ts';
import { readEnvironment } from '../kit/env.ts';
import { connect } from '../kit/wiring.ts';
import { createHandler } from './cancel-handler.ts';

export const handler = createHandler(readEnvironment('order-cancel', functions['order-cancel']), connect('order-cancel'));
