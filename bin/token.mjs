import { app } from '../lib/local-app.ts';
import { token } from '@outbox-saga/local/token';

await token(app, process.argv.slice(2));
