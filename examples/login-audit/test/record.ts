import { recordShapes } from '@outbox-saga/testing/message-shapes';
import { join } from 'node:path';
import { topology } from '../contract.ts';

/** Once for each new version of a message: what it looks like, for the test that holds it. */
recordShapes(topology, join(import.meta.dirname, 'shapes.json'));
