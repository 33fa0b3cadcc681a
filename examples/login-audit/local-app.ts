import type { LocalApp } from '@outbox-saga/local/app';
import { functions, stageNames } from './contract.ts';

/** What `npm start` runs. */
export const app: LocalApp = {
  name: 'Login audit',
  root: import.meta.dirname,
  synthModule: 'stack.ts',
  synthInputs: ['contract.ts', 'stack.ts', 'functions'],
  stages: stageNames,
  functions: Object.keys(functions),
  firstSteps: ({ url }) => [`log in         curl -X POST ${url}/logins -H 'content-type: application/json' -d '{"userId":"ada"}'`],
};
