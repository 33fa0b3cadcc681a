import { orderApp } from '../lib/app.ts';

orderApp().app.synth();
