/** Makes docs/access.md from synthesized templates: which function may do what, with which table and queue. */

/** The resources of a template, as CloudFormation gets them. */
// oxlint-disable-next-line typescript/no-explicit-any -- each type of resource has another shape
export type TemplateResources = Readonly<Record<string, { readonly Type: string; readonly Properties?: any }>>;

/** A stack whose providers are sandboxes, and one with everything real; the document marks what only one of them has. */
export interface AccessTemplates {
  readonly sandbox: TemplateResources;
  readonly real: TemplateResources;
}

/** The contexts that these two are synthesized with: each option that adds a grant is set. */
export const accessContexts = {
  sandbox: { stage: 'dev' },
  real: {
    stage: 'prod',
    paymentUrl: 'https://pay.example',
    paymentSecretId: 'payment-token',
    paymentSecretKeyArn: 'arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab',
    carrierUrl: 'https://ship.example',
    carrierSecretId: 'carrier-token',
    carrierSecretKeyArn: 'arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab',
    emailSender: 'shop@example.com',
    // As on dev, where a development server's pages may call the API.
    corsOrigins: 'https://shop.example',
  },
} as const;

/** One action that a function's role allows on one resource. */
interface Grant {
  readonly function: string;
  /** `dynamodb:GetItem` */
  readonly action: string;
  /** Logical id of the resource, or undefined where it is no resource of the stack. */
  readonly id: string | undefined;
  /** The resource as text: `Orders`, `Orders, index open`, `…:secret:payment-token-??????`. */
  readonly resource: string;
}

const typesOf = (resources: TemplateResources, type: string) => Object.entries(resources).filter(([, { Type }]) => Type === type);

/** Logical id that a value refers to first. */
const idIn = (value: unknown): string | undefined => /"(?:Ref|Fn::GetAtt)":\[?"(\w+)"/.exec(JSON.stringify(value))?.[1];

/** `OrdersTable315BB997` → `Orders`, `PaymentQueue3F2A9C10` → `PaymentQueue`. */
const nameOf = (id: string): string => id.replace(/[0-9A-F]{8}$/, '').replace(/Table$/, '');

/** A resource of a statement as text: what is no reference stays, and of a reference its resource's name. */
function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  const { Ref: ref, 'Fn::GetAtt': attribute, 'Fn::Join': join } = value as Record<string, unknown>;
  if (typeof ref === 'string') return ref.startsWith('AWS::') ? `<${ref.slice(5).toLowerCase()}>` : nameOf(ref);
  if (Array.isArray(attribute))
    return attribute[1] === 'StreamArn' ? `${nameOf(String(attribute[0]))}, stream` : nameOf(String(attribute[0]));
  if (!Array.isArray(join)) throw new Error(`docs/access.md: no words for the resource ${JSON.stringify(value)}; teach lib/access.ts`);
  return (join[1] as unknown[])
    .map(textOf)
    .join('')
    .replace(/\/index\/(\w+)$/, ', index $1')
    .replace(/\/stream\/\*$/, ', its streams');
}

interface FunctionEntry {
  readonly id: string;
  readonly name: string;
  readonly role: string | undefined;
  readonly logGroup: string | undefined;
}

const functionsIn = (resources: TemplateResources): FunctionEntry[] =>
  typesOf(resources, 'AWS::Lambda::Function').map(([id, { Properties }]) => ({
    id,
    name: Properties.Description as string,
    role: idIn(Properties.Role),
    logGroup: idIn(Properties.LoggingConfig),
  }));

interface Statement {
  readonly Effect: string;
  readonly Action: string | readonly string[];
  readonly Resource: unknown;
}

/** What roles allow, but for what is alike for every function: writing its own log group and sending traces. */
function grantsIn(resources: TemplateResources): Grant[] {
  const policies = typesOf(resources, 'AWS::IAM::Policy');
  const statementsOf = (role: string | undefined): Statement[] =>
    policies
      .filter(([, { Properties }]) => (Properties.Roles as unknown[]).some((ref) => idIn(ref) === role))
      .flatMap(([, { Properties }]) => Properties.PolicyDocument.Statement as Statement[]);
  return functionsIn(resources).flatMap(({ name, role, logGroup }) =>
    statementsOf(role)
      .flatMap(({ Effect, Action, Resource }) => {
        if (Effect !== 'Allow') throw new Error(`docs/access.md: ${name} has a statement that denies; teach lib/access.ts`);
        return [Resource]
          .flat()
          .flatMap((resource) =>
            [Action].flat().map((action) => ({ function: name, action, id: idIn(resource), resource: textOf(resource) })),
          );
      })
      .filter(({ action, id }) => !(action.startsWith('logs:') && id === logGroup))
      .filter(({ action, resource }) => !(action.startsWith('xray:') && resource === '*')),
  );
}

/** What invokes each function. */
function invokersIn(resources: TemplateResources): [name: string, by: string][] {
  const names = new Map(functionsIn(resources).map(({ id, name }) => [id, name]));
  const integrations = new Map(
    typesOf(resources, 'AWS::ApiGatewayV2::Integration').map(([id, { Properties }]) => [id, idIn(Properties.IntegrationUri)!]),
  );
  const found = [
    ...typesOf(resources, 'AWS::ApiGatewayV2::Route').map(([, { Properties }]) => [
      integrations.get(idIn(Properties.Target)!),
      `\`${Properties.RouteKey}\``,
    ]),
    ...typesOf(resources, 'AWS::Lambda::EventSourceMapping').map(([, { Properties }]) => [
      idIn(Properties.FunctionName),
      textOf(Properties.EventSourceArn)
        .replace(/^(\w+), stream$/, 'the stream of $1')
        .replace(/^\w+Queue$/, 'messages of $&'),
    ]),
    ...typesOf(resources, 'AWS::Events::Rule').flatMap(([, { Properties }]) =>
      (Properties.Targets as { Arn: unknown }[]).map(({ Arn }) => [idIn(Arn), `the schedule ${Properties.ScheduleExpression}`]),
    ),
  ];
  return found.map(([id, by]) => [names.get(id!)!, by!]);
}

const marks = { sandbox: ' ¹', real: ' ²', both: '' };

/** Each entry of both lists once, with the mark of the list that alone has it. */
function merged<Entry>({ sandbox, real }: { readonly sandbox: readonly Entry[]; readonly real: readonly Entry[] }) {
  const keys = {
    sandbox: new Set(sandbox.map((entry) => JSON.stringify(entry))),
    real: new Set(real.map((entry) => JSON.stringify(entry))),
  };
  const all = new Set([...keys.sandbox, ...keys.real]);
  return [...all].toSorted().map((key) => ({
    ...(JSON.parse(key) as Entry),
    mark: keys.sandbox.has(key) && keys.real.has(key) ? marks.both : keys.sandbox.has(key) ? marks.sandbox : marks.real,
  }));
}

type MarkedGrant = Grant & { readonly mark: string };

const isRead = (action: string): boolean => /:(Get|Query|Scan|BatchGet|Describe|List|ConditionCheck)/.test(action);
/** `order-saga: GetItem, UpdateItem; place-order: PutItem` */
function who(grants: readonly MarkedGrant[], label = ({ action }: MarkedGrant): string => action.split(':')[1]!): string {
  const byFunction = Map.groupBy(grants, (grant) => grant.function);
  return [...byFunction].map(([name, theirs]) => `${name}: ${theirs.map((grant) => label(grant) + grant.mark).join(', ')}`).join('; ');
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(head), `|${head.map(() => '---').join('|')}|`, ...rows.map(line)].join('\n');
}

const idsOf = (resources: TemplateResources, type: string): string[] =>
  typesOf(resources, type)
    .map(([id]) => id)
    .toSorted();

function tablesSection(tables: readonly string[], grants: readonly MarkedGrant[]): string {
  const label = ({ action, resource }: MarkedGrant): string => {
    const part = /, (.+)$/.exec(resource)?.[1];
    return `${action.split(':')[1]}${part ? ` (${part})` : ''}`;
  };
  const rows = tables.map((each) => {
    const on = grants.filter(({ id }) => id === each);
    const [reads, writes] = [on.filter(({ action }) => isRead(action)), on.filter(({ action }) => !isRead(action))];
    return [nameOf(each), who(writes, label), who(reads, label)];
  });
  return table(['table', 'who may write', 'who may read'], rows);
}

function queuesSection(queues: readonly string[], grants: readonly MarkedGrant[]): string {
  const isSend = ({ action }: Grant): boolean => action === 'sqs:SendMessage';
  const rows = queues.map((queue) => {
    const on = grants.filter(({ id }) => id === queue);
    return [nameOf(queue), who(on.filter(isSend)), who(on.filter((grant) => !isSend(grant)))];
  });
  return table(['queue', 'who may send', 'who may receive, or see what is in it'], rows);
}

function invokersSection({ sandbox, real }: AccessTemplates): string {
  const entriesOf = (resources: TemplateResources) => invokersIn(resources).map(([name, by]) => ({ name, by }));
  const invokers = merged({ sandbox: entriesOf(sandbox), real: entriesOf(real) });
  const names = new Set(functionsIn({ ...sandbox, ...real }).map(({ name }) => name));
  const rows = [...names].toSorted().map((each) => {
    const by = invokers.filter(({ name }) => name === each).map((invoker) => invoker.by + invoker.mark);
    return [each, by.join(', ')];
  });
  return table(['function', 'invoked by'], rows);
}

/** The whole of docs/access.md. @throws Error for a statement that it has no words for */
export function accessDocument(templates: AccessTemplates): string {
  const { sandbox, real } = templates;
  const resources = { ...sandbox, ...real };
  const grants: readonly MarkedGrant[] = merged({ sandbox: grantsIn(sandbox), real: grantsIn(real) });
  const [tables, queues] = [idsOf(resources, 'AWS::DynamoDB::Table'), idsOf(resources, 'AWS::SQS::Queue')];
  const others = grants.filter(({ id = '' }) => !tables.includes(id) && !queues.includes(id));
  return `# What each function may do

Made from the synthesized templates by \`npm run access\`; \`test/infra/access.test.ts\` holds it. The statements themselves stand in
[\`lib/services\`](../lib/services) and, for what every consumer and the outbox need, in [\`packages/constructs\`](../packages/constructs/README.md).

¹ only where the sandbox answers for the payment gateway or the carrier. ² only with real providers, their secrets under a key of your own, or e-mail.
What has no mark holds on every stage, but for the OPTIONS route, which is there only where web pages may call. What is not here is not allowed: a role
holds nothing else but that its function writes its own log group and sends its traces.

## Tables

${tablesSection(tables, grants)}

## Queues

${queuesSection(queues, grants)}

## Anything else

${table(
  ['function', 'action', 'on'],
  others.map((grant) => [grant.function, `${grant.action}${grant.mark}`, `\`${grant.resource}\``]),
)}

## What invokes each function

${invokersSection(templates)}
`;
}
