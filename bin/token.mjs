import { app } from '../lib/local-app.ts';
import { token } from '../local/token.ts';

await token(app, process.argv.slice(2));
