import { StartProblem } from './problem.ts';

export interface TemplateResource {
  readonly Type: string;
  readonly Properties?: Record<string, unknown>;
}

export interface Template {
  readonly Resources: Readonly<Record<string, TemplateResource>>;
  readonly Outputs?: Readonly<Record<string, { readonly Value: unknown }>>;
  readonly Parameters?: Readonly<Record<string, { readonly Default?: string }>>;
}

/**
 * Every resource type that the local runtime knows, and what it makes of it. `inert` ones change nothing on a laptop;
 * a type that is not here stops the start: what is not understood must not silently be missing.
 */
const knownTypes: Readonly<Record<string, 'runs' | 'inert'>> = {
  'AWS::DynamoDB::Table': 'runs',
  'AWS::SQS::Queue': 'runs',
  'AWS::Lambda::Function': 'runs',
  'AWS::Lambda::EventSourceMapping': 'runs',
  'AWS::Lambda::Permission': 'runs',
  // No event is tried again or kept waiting here, which is what the template asks for.
  'AWS::Lambda::EventInvokeConfig': 'inert',
  'AWS::Events::Rule': 'runs',
  'AWS::ApiGatewayV2::Api': 'runs',
  'AWS::ApiGatewayV2::Route': 'runs',
  'AWS::ApiGatewayV2::Authorizer': 'runs',
  'AWS::ApiGatewayV2::Integration': 'runs',
  'AWS::ApiGatewayV2::Stage': 'inert',
  'AWS::SQS::QueuePolicy': 'runs',
  'AWS::IAM::Role': 'runs',
  'AWS::IAM::Policy': 'runs',
  'AWS::Logs::LogGroup': 'inert',
  'AWS::CloudWatch::Alarm': 'inert',
  'AWS::CloudWatch::Dashboard': 'inert',
  'AWS::SNS::Topic': 'inert',
  'AWS::SNS::TopicPolicy': 'inert',
  'AWS::SNS::Subscription': 'inert',
  'AWS::CDK::Metadata': 'inert',
};

/** @throws StartProblem that names every resource whose type is not known */
export function checkTypes(template: Template): void {
  const unknown = Object.entries(template.Resources).filter(([, { Type }]) => !Object.hasOwn(knownTypes, Type));
  if (unknown.length === 0) return;
  const list = unknown.map(([id, { Type }]) => `  ${id}: ${Type}`).join('\n');
  throw new StartProblem(
    `the local runtime does not know these resources of the template:\n${list}\nTeach it in packages/local/src/template.ts.`,
  );
}

export function resourcesOf(template: Template, type: string): [string, Record<string, unknown>][] {
  return Object.entries(template.Resources).flatMap(([id, resource]) =>
    resource.Type === type ? [[id, resource.Properties ?? {}] as [string, Record<string, unknown>]] : [],
  );
}

/** What a resource answers to Ref and Fn::GetAtt. */
export interface ResourceValues {
  readonly ref: string;
  readonly attributes: Readonly<Record<string, string>>;
}

export const localRegion = 'us-east-1';
export const localAccount = '000000000000';

const pseudoParameters: Readonly<Record<string, string>> = {
  'AWS::Region': localRegion,
  'AWS::AccountId': localAccount,
  'AWS::Partition': 'aws',
  'AWS::URLSuffix': 'amazonaws.com',
};

/**
 * Resolves intrinsic functions: Ref, Fn::GetAtt, Fn::Join, Fn::Sub, Fn::Select and Fn::Split.
 *
 * @throws StartProblem for any other function, and for a reference to something that does not exist
 */
export function resolveValue(value: unknown, template: Template, values: ReadonlyMap<string, ResourceValues>): unknown {
  const resolve = (inner: unknown): unknown => resolveValue(inner, template, values);
  if (Array.isArray(value)) return value.map(resolve);
  if (value === null || typeof value !== 'object') return value;
  const entries = Object.entries(value);
  if (entries.length === 1) {
    const [name, argument] = entries[0] as [string, unknown];
    if (name === 'Ref') return refOf(String(argument), template, values);
    if (name.startsWith('Fn::')) return applyFunction(name, argument, template, values);
  }
  return Object.fromEntries(entries.map(([key, inner]) => [key, resolve(inner)]));
}

function refOf(id: string, template: Template, values: ReadonlyMap<string, ResourceValues>): string {
  const parameter = template.Parameters?.[id]?.Default;
  const found = pseudoParameters[id] ?? values.get(id)?.ref ?? parameter;
  if (found === undefined) throw new StartProblem(`the template refers to ${id}, which the local runtime did not create`);
  return found;
}

function attributeOf(id: string, attribute: string, values: ReadonlyMap<string, ResourceValues>): string {
  const found = values.get(id)?.attributes[attribute];
  if (found === undefined) throw new StartProblem(`the template asks for ${id}.${attribute}, which the local runtime does not know`);
  return found;
}

function applyFunction(name: string, argument: unknown, template: Template, values: ReadonlyMap<string, ResourceValues>): unknown {
  const resolve = (inner: unknown): unknown => resolveValue(inner, template, values);
  switch (name) {
    case 'Fn::GetAtt': {
      const [id, attribute] = (Array.isArray(argument) ? argument : String(argument).split('.')) as [string, string];
      return attributeOf(id, attribute, values);
    }
    case 'Fn::Join': {
      const [separator, parts] = argument as [string, unknown];
      return (resolve(parts) as unknown[]).join(separator);
    }
    case 'Fn::Select': {
      const [index, list] = argument as [unknown, unknown];
      return (resolve(list) as unknown[])[Number(index)];
    }
    case 'Fn::Split': {
      const [separator, text] = argument as [string, unknown];
      return String(resolve(text)).split(separator);
    }
    case 'Fn::Sub': {
      const [text, variables] = (Array.isArray(argument) ? argument : [argument, {}]) as [string, Record<string, unknown>];
      return text.replaceAll(/\$\{([^}!]+)\}/g, (_, key: string) => {
        if (Object.hasOwn(variables, key)) return String(resolve(variables[key]));
        const [id, attribute] = key.split('.') as [string, string | undefined];
        return attribute === undefined ? refOf(id, template, values) : attributeOf(id, attribute, values);
      });
    }
    default:
      throw new StartProblem(`the template uses ${name}, which the local runtime does not know`);
  }
}
