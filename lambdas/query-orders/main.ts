import { functions } from '../contract/functions.ts';
import { readEnvironment } from '@outbox-saga/kit/function/environment';
import { connect } from '@outbox-saga/kit/function/wiring';
import { createHandler } from './handler.ts';

const environment = readEnvironment('query-orders', functions['query-orders']);
export const handler = createHandler(environment, connect('query-orders', environment));
