import { Duration } from 'aws-cdk-lib';
import { type Conditions, Effect, PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Architecture, ApplicationLogLevel, Code, Function, LoggingFormat, Runtime, SystemLogLevel, Tracing } from 'aws-cdk-lib/aws-lambda';
import { LogGroup } from 'aws-cdk-lib/aws-logs';
import { Dependable, type Construct } from 'constructs';
import type * as z from 'zod';
import type { FunctionDefinition } from '../../lambdas/contract/core/functions.ts';
import type { StageConfig } from '../stage-config.ts';
import { acknowledge } from './acknowledge.ts';

export interface ServiceFunctionProps<Definition extends FunctionDefinition> {
  /** Name in the contract; log lines and metrics carry it. */
  readonly name: string;
  readonly definition: Definition;
  /** Folder of the bundle (lib/bundle.ts). */
  readonly bundle: string;
  readonly stage: StageConfig;
  /** Exactly what the definition's schema asks for, without STAGE. Empty text counts as absent. */
  readonly environment: Omit<Record<keyof z.input<Definition['environment']> & string, string>, 'STAGE'>;
}

/**
 * A function with the defaults that this system wants everywhere: Node 24 on arm64, the SDK inside the bundle, JSON logs
 * in a group of its own with retention, active tracing, and a role that starts with nothing but its logs and traces.
 * Grants are added by hand with `allow`: CDK's grant helpers grant more than is used.
 */
export class ServiceFunction<Definition extends FunctionDefinition = FunctionDefinition> extends Function {
  /** Its name in the contract. */
  readonly serviceName: string;

  constructor(scope: Construct, id: string, props: ServiceFunctionProps<Definition>) {
    const { name, definition, bundle, stage, environment } = props;
    const logGroup = new LogGroup(scope, `${id}Logs`, { retention: stage.logRetention, removalPolicy: stage.removalPolicy });
    const role = new Role(scope, `${id}Role`, { assumedBy: new ServicePrincipal('lambda.amazonaws.com') });
    // Whoever waits for the role means what it allows: its policy. The role itself is waited for by reference.
    Dependable.implement(role, {
      get dependencyRoots() {
        return [role.node.findChild('DefaultPolicy')];
      },
    });
    super(scope, id, {
      description: name,
      runtime: Runtime.NODEJS_24_X,
      architecture: Architecture.ARM_64,
      handler: 'index.handler',
      code: Code.fromAsset(bundle),
      memorySize: definition.memoryMb,
      timeout: Duration.seconds(definition.timeoutSeconds(stage.durations)),
      environment: {
        ...environment,
        STAGE: stage.name,
        POWERTOOLS_SERVICE_NAME: name,
        POWERTOOLS_LOG_LEVEL: stage.logLevel,
      },
      role,
      logGroup,
      loggingFormat: LoggingFormat.JSON,
      applicationLogLevelV2: ApplicationLogLevel[stage.logLevel],
      // WARN would drop the REPORT lines of what went well: durations, memory and cold starts are read from them.
      systemLogLevelV2: SystemLogLevel.INFO,
      tracing: Tracing.ACTIVE,
    });
    this.serviceName = name;
    this.allow(['logs:CreateLogStream', 'logs:PutLogEvents'], logGroup.logGroupArn);
    acknowledge(role, 'AwsSolutions-IAM5[Resource::*]', 'X-Ray offers no resource-level permissions for sending traces');
  }

  /** Adds one statement to the function's role. */
  allow(actions: readonly string[], ...resources: readonly string[]): void {
    this.allowWhere({}, actions, ...resources);
  }

  /** As `allow`, under conditions: operator → key → value. */
  allowWhere(conditions: Conditions, actions: readonly string[], ...resources: readonly string[]): void {
    this.role!.addToPrincipalPolicy(
      new PolicyStatement({ effect: Effect.ALLOW, actions: [...actions], resources: [...resources], conditions }),
    );
  }
}
