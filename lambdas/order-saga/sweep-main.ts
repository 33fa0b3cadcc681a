import { functions } from '../contract/functions.ts';
import { readEnvironment } from '@outbox-saga/kit/function/environment';
import { connect } from '@outbox-saga/kit/function/wiring';
import { createHandler } from './sweep-handler.ts';

const environment = readEnvironment('order-sweep', functions['order-sweep']);
export const handler = createHandler(environment, connect('order-sweep', environment));
