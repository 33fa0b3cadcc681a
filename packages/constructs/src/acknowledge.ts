import { Validations } from 'aws-cdk-lib';
import type { IConstruct } from 'constructs';

/** Accepts a cdk-nag finding on a construct and everything in it. The reason is for the next reader of the finding. */
export function acknowledge(construct: IConstruct, id: string, reason: string): void {
  if (reason.length < 20) throw new Error(`${id} at ${construct.node.path}: an acknowledgement needs a reason`);
  Validations.of(construct).acknowledge({ id, reason });
}
