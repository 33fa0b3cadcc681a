import { functions } from '../contract/functions.ts';
import { readEnvironment } from '../kit/env.ts';
import { connect } from '../kit/wiring.ts';
import { createHandler } from './handler.ts';

const environment = readEnvironment('place-order', functions['place-order']);
export const handler = createHandler(environment, connect('place-order', environment));
