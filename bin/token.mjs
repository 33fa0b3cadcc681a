import { token } from '../local/token.ts';

await token(process.argv.slice(2));
