import { StartProblem } from './problem.ts';
import { localAccount, localRegion, resourcesOf, resolveValue, type ResourceValues, type Template } from './template.ts';

/** One statement of a policy, resolved. */
export interface Statement {
  readonly effect: 'Allow' | 'Deny';
  readonly actions: readonly string[];
  readonly resources: readonly string[];
}

/** One thing that a call needs to be allowed to do. */
export interface Need {
  /** `dynamodb:PutItem` */
  readonly action: string;
  readonly resource: string;
}

const list = (value: unknown): string[] => [value].flat().map(String);

/**
 * Reads the statements of a policy document. Conditions on TLS are evaluated as if every call came over TLS, as it does on AWS.
 *
 * @throws StartProblem for an element that this evaluator does not know: what is not understood must not silently allow or deny
 */
export function statementsOf(where: string, document: unknown): Statement[] {
  const { Statement: statements = [] } = document as { Statement?: unknown };
  return [statements].flat().flatMap((raw, i): Statement[] => {
    const { Effect, Action, Resource, Condition, Principal, Sid: _sid, ...others } = raw as Record<string, unknown>;
    const unknown = (what: string): never => {
      throw new StartProblem(
        `${where}, statement ${i + 1}: the local runtime does not know ${what}. Teach it in packages/local/src/iam.ts.`,
      );
    };
    if (Object.keys(others).length > 0) unknown(Object.keys(others).join(', '));
    if (Effect !== 'Allow' && Effect !== 'Deny') unknown(`the effect ${String(Effect)}`);
    if (Action === undefined || Resource === undefined) unknown('a statement without Action or Resource');
    if (Principal !== undefined && JSON.stringify(Principal) !== '{"AWS":"*"}' && Principal !== '*')
      unknown(`the principal ${JSON.stringify(Principal)}`);
    for (const [operator, conditions] of Object.entries((Condition ?? {}) as Record<string, Record<string, unknown>>)) {
      for (const [key, value] of Object.entries(conditions)) {
        if (operator !== 'Bool' || key !== 'aws:SecureTransport') unknown(`the condition ${operator} ${key}`);
        if (String(value) === 'false') return [];
      }
    }
    return [{ effect: Effect as Statement['effect'], actions: list(Action), resources: list(Resource) }];
  });
}

const patterns = new Map<string, RegExp>();

/** IAM's wildcards: `*` any characters, `?` one. Actions do not mind case; resources do. */
function matches(pattern: string, text: string, ignoreCase: boolean): boolean {
  const key = `${ignoreCase}${pattern}`;
  let compiled = patterns.get(key);
  if (!compiled) {
    const source = pattern
      .replaceAll(/[.+^${}()|[\]\\]/g, String.raw`\$&`)
      .replaceAll('*', '.*')
      .replaceAll('?', '.');
    compiled = new RegExp(`^${source}$`, ignoreCase ? 'is' : 's');
    patterns.set(key, compiled);
  }
  return compiled.test(text);
}

const covers = ({ actions, resources }: Statement, { action, resource }: Need): boolean =>
  actions.some((pattern) => matches(pattern, action, true)) && resources.some((pattern) => matches(pattern, resource, false));

/** What AWS would say: an explicit deny wins, and what nothing allows is denied. */
export function evaluate(statements: readonly Statement[], need: Need): 'allowed' | 'denied explicitly' | 'not allowed' {
  const applicable = statements.filter((statement) => covers(statement, need));
  if (applicable.some(({ effect }) => effect === 'Deny')) return 'denied explicitly';
  return applicable.length > 0 ? 'allowed' : 'not allowed';
}

const transactionActions: Readonly<Record<string, string>> = {
  Put: 'dynamodb:PutItem',
  Update: 'dynamodb:UpdateItem',
  Delete: 'dynamodb:DeleteItem',
  ConditionCheck: 'dynamodb:ConditionCheckItem',
};
const batched = /Batch$/;

/**
 * What a call to DynamoDB or SQS needs: a transaction is authorised as its parts, an index by its own ARN, a batch as its single action. A queue is
 * known by the name in its URL, whatever host the URL names.
 *
 * @param arns name of a table → the ARN that the emulator gave it
 */
export function needsOf(
  service: 'dynamodb' | 'sqs',
  operation: string,
  body: Readonly<Record<string, unknown>>,
  arns: ReadonlyMap<string, string> = new Map(),
): Need[] {
  if (service === 'sqs') {
    const name = String(body['QueueUrl'] ?? body['QueueName'] ?? '')
      .split('/')
      .at(-1)!;
    return [{ action: `sqs:${operation.replace(batched, '')}`, resource: `arn:aws:sqs:${localRegion}:${localAccount}:${name}` }];
  }
  if (operation === 'TransactWriteItems') {
    return ((body['TransactItems'] ?? []) as Record<string, { TableName: string }>[]).flatMap((item) =>
      Object.entries(item).map(([kind, { TableName }]) => ({
        action: transactionActions[kind] ?? `dynamodb:${kind}`,
        resource: tableArn(TableName, arns),
      })),
    );
  }
  if (operation === 'TransactGetItems') {
    return ((body['TransactItems'] ?? []) as { Get: { TableName: string } }[]).map(({ Get }) => ({
      action: 'dynamodb:GetItem',
      resource: tableArn(Get.TableName, arns),
    }));
  }
  if (operation === 'BatchGetItem' || operation === 'BatchWriteItem') {
    return Object.keys(body['RequestItems'] ?? {}).map((name) => ({
      action: `dynamodb:${operation}`,
      resource: tableArn(name, arns),
    }));
  }
  const table = tableArn(String(body['TableName'] ?? ''), arns);
  return [
    { action: `dynamodb:${operation}`, resource: body['IndexName'] === undefined ? table : `${table}/index/${String(body['IndexName'])}` },
  ];
}

function tableArn(nameOrArn: string, arns: ReadonlyMap<string, string>): string {
  if (nameOrArn.startsWith('arn:')) return nameOrArn;
  return arns.get(nameOrArn) ?? `arn:aws:dynamodb:${localRegion}:${localAccount}:table/${nameOrArn}`;
}

interface Role {
  readonly id: string;
  readonly statements: readonly Statement[];
}

/** A grant of a function's role: one action on one resource, and whether anything needed it. */
export interface Grant extends Need {
  readonly function: string;
  readonly used: boolean;
}

/** The template's policies, enforced: what each function may do, what it did, and what it was refused. */
export class Iam {
  readonly #roles = new Map<string, Role>();
  /** Of the policies of queues and tables. Within one account they can only take away here: nothing is granted by them. */
  readonly #denies: readonly Statement[];
  readonly #used = new Map<string, Need[]>();
  readonly denials: string[] = [];
  /** Name of a table → its ARN. */
  readonly tableArns: ReadonlyMap<string, string>;

  /** @param functions logical id → name in the contract. @throws StartProblem for a policy that it does not understand */
  constructor(template: Template, values: ReadonlyMap<string, ResourceValues>, functions: ReadonlyMap<string, string>) {
    this.tableArns = new Map(
      resourcesOf(template, 'AWS::DynamoDB::Table').map(([id]) => [values.get(id)!.ref, values.get(id)!.attributes['Arn']!]),
    );
    const known = new Map(values);
    for (const type of ['AWS::Logs::LogGroup', 'AWS::IAM::Role', 'AWS::SNS::Topic']) {
      for (const [id] of resourcesOf(template, type)) known.set(id, { ref: id, attributes: { Arn: `arn:aws:local:::${id}` } });
    }
    const resolved = (document: unknown): unknown => resolveValue(document, template, known);
    const ofRole = new Map<string, Statement[]>();
    for (const [id, raw] of resourcesOf(template, 'AWS::IAM::Role')) {
      const {
        AssumeRolePolicyDocument: _assume,
        Policies = [],
        Description: _text,
        Tags: _tags,
        ...others
      } = raw as Record<string, unknown> & { Policies?: { PolicyDocument: unknown }[] };
      if (Object.keys(others).length > 0) {
        throw new StartProblem(
          `role ${id}: the local runtime does not know ${Object.keys(others).join(', ')}. Teach it in packages/local/src/iam.ts.`,
        );
      }
      ofRole.set(
        id,
        Policies.flatMap(({ PolicyDocument }) => statementsOf(`role ${id}`, resolved(PolicyDocument))),
      );
    }
    for (const [id, raw] of resourcesOf(template, 'AWS::IAM::Policy')) {
      const statements = statementsOf(`policy ${id}`, resolved(raw['PolicyDocument']));
      for (const role of list(resolved(raw['Roles']))) ofRole.get(role)?.push(...statements);
    }
    for (const [id, raw] of resourcesOf(template, 'AWS::Lambda::Function')) {
      const role = (raw['Role'] as { 'Fn::GetAtt'?: [string, string] })['Fn::GetAtt']?.[0];
      const statements = role === undefined ? undefined : ofRole.get(role);
      if (role === undefined || !statements) throw new StartProblem(`function ${id}: its role is not a role of this template`);
      this.#roles.set(functions.get(id) ?? id, { id: role, statements });
    }
    this.#denies = [
      ...resourcesOf(template, 'AWS::SQS::QueuePolicy').map(([id, raw]) => [`queue policy ${id}`, raw['PolicyDocument']] as const),
      ...resourcesOf(template, 'AWS::DynamoDB::Table').map(([id, { ResourcePolicy }]) => {
        const { PolicyDocument = {} } = (ResourcePolicy ?? {}) as { PolicyDocument?: unknown };
        return [`resource policy of table ${id}`, PolicyDocument] as const;
      }),
    ]
      .flatMap(([where, document]) => statementsOf(where, resolved(document)))
      .filter(({ effect }) => effect === 'Deny');
  }

  /** @returns why a function may not do this, in the words of AWS; undefined when it may */
  refusal(name: string, needs: readonly Need[]): string | undefined {
    const role = this.#roles.get(name);
    if (!role) return `no role is known for ${name}`;
    for (const need of needs) {
      const verdict = evaluate([...role.statements, ...this.#denies], need);
      if (verdict !== 'allowed') {
        const why =
          verdict === 'not allowed'
            ? `because no identity-based policy allows the ${need.action} action`
            : 'with an explicit deny in a policy';
        const user = `arn:aws:sts::${localAccount}:assumed-role/${role.id}/${name}`;
        const refusal = `User: ${user} is not authorized to perform: ${need.action} on resource: ${need.resource} ${why}`;
        if (this.denials.length < 100) this.denials.push(refusal);
        return refusal;
      }
    }
    const used = this.#used.get(name) ?? [];
    for (const need of needs) {
      if (!used.some(({ action, resource }) => action === need.action && resource === need.resource)) used.push(need);
    }
    this.#used.set(name, used);
    return undefined;
  }

  /** Every grant of every function, and whether anything since the start would have been refused without it. */
  grants(): Grant[] {
    return [...this.#roles].flatMap(([name, { statements }]) => {
      const used = this.#used.get(name) ?? [];
      const single = statements.flatMap(({ effect, actions, resources }): Statement[] =>
        effect === 'Deny'
          ? []
          : actions.flatMap((action) => resources.map((resource) => ({ effect, actions: [action], resources: [resource] }))),
      );
      const needed = new Set<Statement>();
      for (const need of used) {
        const [only, ...others] = single.filter((grant) => covers(grant, need));
        if (only && others.length === 0) needed.add(only);
      }
      return single.map((grant) => ({
        function: name,
        action: grant.actions[0]!,
        resource: grant.resources[0]!,
        used: needed.has(grant),
      }));
    });
  }
}
