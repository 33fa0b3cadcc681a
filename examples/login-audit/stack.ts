import { bundleFunctions } from '@outbox-saga/constructs/bundle';
import { ServiceApi } from '@outbox-saga/constructs/service-api';
import { ServiceFactory } from '@outbox-saga/constructs/service-factory';
import { leanStandIns } from '@outbox-saga/constructs/stand-ins';
import type { SynthRequest } from '@outbox-saga/local/app';
import { App, RemovalPolicy, Stack } from 'aws-cdk-lib';
import { join } from 'node:path';
import { durations, functions, operations, stageNames, tables, topology } from './contract.ts';

/** @param open whether nobody is asked who they are: on a laptop only */
export function loginStack(app: App, stage: string, open: boolean): Stack {
  const name = stageNames.find((known) => known === stage);
  if (name === undefined) throw new Error(`stage ${stage}: must be one of ${stageNames.join(', ')}`);
  const stack = new Stack(app, `LoginAudit-${stage}`);
  const bundles = bundleFunctions(functions, join(app.outdir, 'bundles'), { root: import.meta.dirname, standIns: leanStandIns });
  const settings = { stage, metricNamespace: 'LoginAudit', durations: durations[name], removalPolicy: RemovalPolicy.DESTROY };
  const services = new ServiceFactory(stack, { contract: { functions, tables, topology }, bundles, settings });
  // Nothing else looks for a message that the stream never delivered.
  const outbox = services.outbox({ indexPending: true });
  const users = services.table('users');
  const auditLog = services.table('auditLog');
  const idempotency = services.table('idempotency');

  const AUTHENTICATION = open ? 'none' : 'iam';
  const login = services.function('login', { USERS_TABLE: users.tableName, ...outbox.senderEnvironment, AUTHENTICATION });
  login.allow(['dynamodb:PutItem'], users.tableArn);
  outbox.grantCommit(login);

  const { function: audit } = services.consumer('audit', { AUDIT_TABLE: auditLog.tableName, IDEMPOTENCY_TABLE: idempotency.tableName });
  audit.allow(['dynamodb:PutItem'], auditLog.tableArn);
  audit.allow(['dynamodb:UpdateItem'], idempotency.tableArn);
  services.publish(outbox, { publisher: services.part('outbox-publisher', {}), relay: services.part('outbox-relay', {}) });

  new ServiceApi(stack, 'Http', {
    routes: { [operations.logIn.route]: { function: login, access: operations.logIn.access } },
    throttle: { ratePerSecond: 50, burst: 100 },
  });
  return stack;
}

/** For the local runtime. */
export function synth({ outdir, stage, access }: SynthRequest): void {
  const app = new App({ outdir });
  loginStack(app, stage, access === 'open');
  app.synth();
}
