import type { Stack } from 'aws-cdk-lib';
import { functions, type FunctionName } from '../../lambdas/contract/functions.ts';
import { metricNamespace } from '../../lambdas/contract/metrics.ts';
import { topology, type Consumer as ConsumerName } from '../../lambdas/contract/routes.ts';
import { tables, type TableName } from '../../lambdas/contract/tables.ts';
import type { TokenIssuer } from '@outbox-saga/constructs/service-api';
import { ServiceFactory } from '@outbox-saga/constructs/service-factory';
import type { StageConfig } from '../stage-config.ts';

export interface OrderServicesProps {
  readonly stage: StageConfig;
  /** Folder of each function's bundle. */
  readonly bundles: Readonly<Record<FunctionName, string>>;
  /** Who issues customers' tokens; without one, their routes demand IAM and callers name the customer. */
  readonly issuer?: TokenIssuer | undefined;
  /** Whether nobody is asked who they are: on a laptop only. */
  readonly open: boolean;
}

/** Makes what the order system's services consist of, as its contract and stage say. */
export class OrderServices extends ServiceFactory<typeof functions, TableName, ConsumerName> {
  /** The variable of functions behind the API: what proves to them who asks. */
  readonly callers: { readonly AUTHENTICATION: 'none' | 'token' | 'iam' };

  constructor(stack: Stack, { stage, bundles, ...props }: OrderServicesProps) {
    super(stack, {
      contract: { functions, tables, topology },
      bundles,
      settings: { ...stage, stage: stage.name, metricNamespace },
    });
    this.callers = { AUTHENTICATION: props.open ? 'none' : props.issuer ? 'token' : 'iam' };
  }
}
