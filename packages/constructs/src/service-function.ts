import { Duration, RemovalPolicy, Stack } from 'aws-cdk-lib';
import { Metric, type MetricOptions, Stats } from 'aws-cdk-lib/aws-cloudwatch';
import { type Conditions, Effect, PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Architecture, ApplicationLogLevel, Code, Function, LoggingFormat, Runtime, SystemLogLevel, Tracing } from 'aws-cdk-lib/aws-lambda';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import { Dependable, type Construct, type IConstruct } from 'constructs';
import type * as z from 'zod';
import type { FunctionDefinition } from '@outbox-saga/kit/function/definition';
import type { MetricDefinition } from '@outbox-saga/kit/telemetry/metrics';
import { acknowledge } from './acknowledge.ts';

/** What functions of one application and stage have alike. */
export interface FunctionSettings {
  /** Name of the stage, such as `prod`. A function gets it as STAGE, and its metrics carry it as a dimension. */
  readonly stage: string;
  /** CloudWatch namespace of the metrics that functions emit. A function gets it as POWERTOOLS_METRICS_NAMESPACE. */
  readonly metricNamespace: string;
  /** The least level that is written. Not WARN: metrics are log lines that count as INFO, so alarms and dashboard would be blind. Default: `INFO`. */
  readonly logLevel?: 'DEBUG' | 'INFO' | undefined;
  /** How long log lines are kept. Default: a month. */
  readonly logRetention?: RetentionDays | undefined;
  /** What becomes of a log group that leaves the stack. Default: `RETAIN`. */
  readonly removalPolicy?: RemovalPolicy | undefined;
  /** Whether X-Ray traces invocations. Default: `ACTIVE`. */
  readonly tracing?: Tracing | undefined;
}

/** The variables that a definition's schema asks for, as text. Empty text counts as absent. STAGE is given by `ServiceFunction`. */
export type EnvironmentOf<Definition extends FunctionDefinition> = Omit<
  Record<keyof z.input<Definition['environment']> & string, string>,
  'STAGE'
>;

/** One function of the contract, with what deploy time knows of it. */
export interface FunctionPart<Definition extends FunctionDefinition, Environment = EnvironmentOf<Definition>> {
  /** Name in the contract; log lines and metrics carry it. Each name is used once in a stack. */
  readonly name: string;
  readonly definition: Definition;
  /** Folder of its bundle, which has `index.mjs` with a `handler`. */
  readonly bundle: string;
  /** Time limit of one invocation, in seconds; at most 900. */
  readonly timeoutSeconds: number;
  readonly environment: Environment;
}

export interface ServiceFunctionProps<Definition extends FunctionDefinition> extends FunctionSettings, FunctionPart<Definition> {}

/**
 * A function with the defaults that this system wants everywhere: Node 24 on arm64, the SDK inside the bundle, JSON logs
 * in a group of its own with retention, active tracing, and a role that starts with nothing but its logs and traces.
 * Grants are added by hand with `allow`: CDK's grant helpers grant more than is used.
 */
export class ServiceFunction<Definition extends FunctionDefinition = FunctionDefinition> extends Function {
  /** Its name in the contract. */
  readonly serviceName: string;
  readonly #settings: FunctionSettings;

  /** @throws Error for a name that another function of the stack has, or an environment that is not what the schema asks for */
  constructor(scope: Construct, id: string, props: ServiceFunctionProps<Definition>) {
    const { name, definition, bundle, timeoutSeconds, environment, stage, metricNamespace, logLevel = 'INFO' } = props;
    const { logRetention = RetentionDays.ONE_MONTH, removalPolicy = RemovalPolicy.RETAIN, tracing = Tracing.ACTIVE } = props;
    assertEnvironment(name, definition, environment);
    const twin = ServiceFunction.allIn(Stack.of(scope)).find(({ serviceName }) => serviceName === name);
    if (twin) throw new Error(`function ${name}: ${twin.node.path} has this name already; its log lines and metrics would be mixed up`);
    const logGroup = new LogGroup(scope, `${id}Logs`, { retention: logRetention, removalPolicy });
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
      timeout: Duration.seconds(timeoutSeconds),
      environment: {
        ...environment,
        STAGE: stage,
        POWERTOOLS_SERVICE_NAME: name,
        POWERTOOLS_METRICS_NAMESPACE: metricNamespace,
        POWERTOOLS_LOG_LEVEL: logLevel,
      },
      role,
      logGroup,
      loggingFormat: LoggingFormat.JSON,
      applicationLogLevelV2: ApplicationLogLevel[logLevel],
      // WARN would drop the REPORT lines of what went well: durations, memory and cold starts are read from them.
      systemLogLevelV2: SystemLogLevel.INFO,
      tracing,
    });
    this.serviceName = name;
    this.#settings = props;
    this.allow(['logs:CreateLogStream', 'logs:PutLogEvents'], logGroup.logGroupArn);
    acknowledge(role, 'AwsSolutions-IAM5[Resource::*]', 'X-Ray offers no resource-level permissions for sending traces');
  }

  /** All functions below a construct, in the order in which they were made. */
  static allIn(scope: IConstruct): ServiceFunction[] {
    return scope.node.findAll().filter((construct) => construct instanceof ServiceFunction);
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

  /**
   * A metric that the function emits, by the minute: the sum of a count, the 99th percentile of a time. Metrics belong to an account and a region:
   * without the stage, two stages there would raise each other's alarms.
   */
  metricEmitted(metric: MetricDefinition, options: MetricOptions = {}): Metric {
    return new Metric({
      namespace: this.#settings.metricNamespace,
      metricName: metric.name,
      period: Duration.minutes(1),
      statistic: metric.unit === 'Count' ? Stats.SUM : Stats.percentile(99),
      ...options,
      dimensionsMap: { service: this.serviceName, stage: this.#settings.stage, ...options.dimensionsMap },
    });
  }
}

/** Types cannot hold it alone: environments are put together from parts. */
function assertEnvironment(name: string, { environment: schema }: FunctionDefinition, environment: object): void {
  const demanded = Object.keys(schema.shape).filter((variable) => variable !== 'STAGE');
  const given = Object.keys(environment);
  const problems = [
    ...demanded
      .filter((variable) => !given.includes(variable))
      .map((variable) => `${variable} is missing from \`environment\`, and its schema reads it`),
    ...given
      .filter((variable) => !demanded.includes(variable))
      .map((variable) => `${variable} is not in its schema: take it out of \`environment\` or add it there`),
  ];
  if (problems.length > 0) throw new Error(`function ${name}: ${problems.join('; ')}`);
}
