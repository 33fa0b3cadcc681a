import { functions } from '../contract/functions.ts';
import { readEnvironment } from '@outbox-saga/kit/function/environment';
import { connect } from '@outbox-saga/kit/function/wiring';
import { createHandler } from './handler.ts';

const environment = readEnvironment('place-order', functions['place-order']);
export const handler = createHandler(environment, connect('place-order', environment));
