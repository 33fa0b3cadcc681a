import { functions } from '../contract/functions.ts';
import { readEnvironment } from '../kit/env.ts';
import { connect } from '../kit/wiring.ts';
import { createHandler } from './handler.ts';

export const handler = createHandler(readEnvironment('place-order', functions['place-order']), connect('place-order'));
