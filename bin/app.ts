import { orderApp } from '../lib/app.ts';
import { nag } from '../lib/nag.ts';

orderApp({ checks: nag }).app.synth();
