import { functions } from '../contract/functions.ts';
import { readEnvironment } from '@outbox-saga/kit/function/environment';
import { connect } from '@outbox-saga/kit/function/wiring';
import { createHandler } from './cancel-handler.ts';

const environment = readEnvironment('order-cancel', functions['order-cancel']);
export const handler = createHandler(environment, connect('order-cancel', environment));
