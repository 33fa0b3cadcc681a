import { createRequire } from 'node:module';

const { resolve } = createRequire(import.meta.url);
const absent = resolve('@outbox-saga/kit/aws/absent');

/**
 * What bundles of functions on the kit can do without: for `standIns` of `bundleFunctions`. Half of the SDK's weight serves developers' machines and other
 * services, and a function's init time grows with every kilobyte. Each size is what it would cost one bundle (esbuild, minified).
 */
export const leanStandIns: Readonly<Record<string, string>> = {
  // 130 KB: SSO, profiles, containers, web identity. Lambda's credentials are in the environment.
  '@aws-sdk/credential-provider-node': resolve('@outbox-saga/kit/aws/credentials'),
  // 23 KB: idempotency keys are message ids here, not expressions.
  '@aws-lambda-powertools/jmespath': absent,
  '@aws-lambda-powertools/jmespath/functions': absent,
  // 15 KB: neither DynamoDB nor SQS streams events over HTTP.
  '@smithy/core/event-streams': absent,
  // 8 KB: endpoint discovery is off unless asked for.
  '@aws-sdk/endpoint-cache': absent,
};
