import type { App } from 'aws-cdk-lib';
import { AwsSolutionsChecks } from 'cdk-nag';
import type { Checks } from './app.ts';

/** cdk-nag over the synthesized resources: a finding fails the synth. Apart from the app, as it takes a second to load and to run. */
export const nag: Checks = (app: App) => [new AwsSolutionsChecks(app)];
