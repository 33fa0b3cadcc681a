import { App } from 'aws-cdk-lib';
import { loginStack } from './stack.ts';

const app = new App();
// Nobody is let in without an IAM identity.
loginStack(app, String(app.node.tryGetContext('stage') ?? 'dev'), false);
app.synth();
