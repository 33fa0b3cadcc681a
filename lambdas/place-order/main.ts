import { start } from '@outbox-saga/kit/function/start';
import { functions } from '../contract/functions.ts';
import { createHandler } from './handler.ts';

export const handler = start('place-order', functions['place-order'], createHandler);
