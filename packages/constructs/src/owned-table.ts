import { RemovalPolicy } from 'aws-cdk-lib';
import { AttributeType, BillingMode, ProjectionType, StreamViewType, Table } from 'aws-cdk-lib/aws-dynamodb';
import { Effect, PolicyStatement, StarPrincipal } from 'aws-cdk-lib/aws-iam';
import type { Construct } from 'constructs';
import type { KeyAttribute, TableDefinition } from '@outbox-saga/kit/tables';
import { acknowledge } from './acknowledge.ts';

/** How tables are protected. */
export interface TableSettings {
  /** What becomes of a table that leaves the stack: by `cdk destroy`, or because its logical id changed. Default: `RETAIN`. */
  readonly removalPolicy?: RemovalPolicy | undefined;
  /** Whether DynamoDB refuses to delete it. Default: true where it is retained, so that no one deletes by hand what a deployment keeps. */
  readonly deletionProtection?: boolean | undefined;
  /** Whether it can be restored to any second of the last 35 days. Default: true. */
  readonly pointInTimeRecovery?: boolean | undefined;
}

export interface OwnedTableProps extends TableSettings {
  readonly definition: TableDefinition;
}

const attribute = ({ name, type }: KeyAttribute): { name: string; type: AttributeType } => ({
  name,
  type: type === 'S' ? AttributeType.STRING : AttributeType.NUMBER,
});

/** A table from its definition in the contract: on demand, encrypted, reached over TLS only and without a physical name. */
export class OwnedTable extends Table {
  readonly definition: TableDefinition;

  constructor(scope: Construct, id: string, { definition, removalPolicy = RemovalPolicy.RETAIN, ...props }: OwnedTableProps) {
    const { deletionProtection = removalPolicy === RemovalPolicy.RETAIN, pointInTimeRecovery = true } = props;
    super(scope, id, {
      partitionKey: attribute(definition.partitionKey),
      ...(definition.sortKey ? { sortKey: attribute(definition.sortKey) } : {}),
      billingMode: BillingMode.PAY_PER_REQUEST,
      removalPolicy,
      deletionProtection,
      pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: pointInTimeRecovery },
      ...(definition.expiryAttribute ? { timeToLiveAttribute: definition.expiryAttribute } : {}),
      ...(definition.stream ? { stream: StreamViewType.NEW_IMAGE } : {}),
    });
    this.definition = definition;
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
    if (!pointInTimeRecovery) {
      acknowledge(this, 'AwsSolutions-DDB3', 'pointInTimeRecovery is switched off for this stage: its data is not worth recovering');
    }
  }

  /** The ARN of one of its indexes. @throws Error when its definition has no such index */
  indexArn(name: string): string {
    if (!this.definition.indexes?.some((index) => index.name === name)) {
      throw new Error(`${this.node.path}: its definition has no index ${name}: add it to \`indexes\``);
    }
    return `${this.tableArn}/index/${name}`;
  }
}
