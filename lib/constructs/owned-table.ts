import { AttributeType, BillingMode, ProjectionType, StreamViewType, Table } from 'aws-cdk-lib/aws-dynamodb';
import { Effect, PolicyStatement, StarPrincipal } from 'aws-cdk-lib/aws-iam';
import type { Construct } from 'constructs';
import type { KeyAttribute, TableDefinition } from '../../lambdas/contract/core/tables.ts';
import type { StageConfig } from '../stage-config.ts';
import { acknowledge } from './acknowledge.ts';

const attribute = ({ name, type }: KeyAttribute): { name: string; type: AttributeType } => ({
  name,
  type: type === 'S' ? AttributeType.STRING : AttributeType.NUMBER,
});

/**
 * A table from its definition in the contract: on demand, encrypted, reached over TLS only, without a physical name,
 * protected as its stage asks for.
 */
export class OwnedTable extends Table {
  constructor(scope: Construct, id: string, { definition, stage }: { definition: TableDefinition; stage: StageConfig }) {
    super(scope, id, {
      partitionKey: attribute(definition.partitionKey),
      ...(definition.sortKey ? { sortKey: attribute(definition.sortKey) } : {}),
      billingMode: BillingMode.PAY_PER_REQUEST,
      removalPolicy: stage.removalPolicy,
      deletionProtection: stage.deletionProtection,
      pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: stage.pointInTimeRecovery },
      ...(definition.expiryAttribute ? { timeToLiveAttribute: definition.expiryAttribute } : {}),
      ...(definition.stream ? { stream: StreamViewType.NEW_IMAGE } : {}),
    });
    for (const index of definition.indexes ?? []) {
      this.addGlobalSecondaryIndex({
        indexName: index.name,
        partitionKey: attribute(index.partitionKey),
        ...(index.sortKey ? { sortKey: attribute(index.sortKey) } : {}),
        projectionType: index.projection === 'ALL' ? ProjectionType.ALL : ProjectionType.KEYS_ONLY,
      });
    }
    this.addToResourcePolicy(
      new PolicyStatement({
        sid: 'TlsOnly',
        effect: Effect.DENY,
        principals: [new StarPrincipal()],
        actions: ['dynamodb:*'],
        // A resource policy of a table cannot name the table's own ARN: CloudFormation would see a circle.
        resources: ['*'],
        conditions: { Bool: { 'aws:SecureTransport': 'false' } },
      }),
    );
    if (!stage.pointInTimeRecovery) {
      acknowledge(this, 'AwsSolutions-DDB3', `stage ${stage.name} holds no data worth recovering to a point in time; prod has it on`);
    }
  }
}
