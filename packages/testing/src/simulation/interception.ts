import type { QueueConnections } from '@outbox-saga/kit/function/wiring';
import type { Input, TransactItem } from './database.ts';
import type { QueueInput } from './ports.ts';

type Answer = Record<string, unknown>;
type Next = (input: Input) => Promise<Answer>;
type QueueNext = (input: QueueInput) => Promise<Answer>;

export interface Interception {
  /** Gets each command to DynamoDB by name. */
  readonly database?: (command: string, input: Input, next: Next) => Promise<Answer>;
  /** Gets each command of Powertools by name. */
  readonly powertools?: (command: string, input: Input, next: Next) => Promise<Answer>;
  readonly queues?: (command: string, input: QueueInput, next: QueueNext) => Promise<Answer>;
}

/** Connections whose commands pass through an interception first. */
export function intercept(connections: QueueConnections, { database, powertools, queues }: Interception): QueueConnections {
  const through = <Port extends object>(
    port: Port,
    handle: ((command: string, input: never, next: never) => Promise<Answer>) | undefined,
  ): Port => {
    if (!handle) return port;
    const send = (command: { input: unknown }): Promise<Answer> => {
      const Command = command.constructor as new (input: unknown) => unknown;
      const next = (input: unknown): Promise<Answer> => (port as { send(command: unknown): Promise<Answer> }).send(new Command(input));
      return handle(command.constructor.name, command.input as never, next as never);
    };
    return { ...port, send };
  };
  return {
    ...connections,
    database: through(connections.database, database),
    client: through(connections.client, powertools),
    queues: through(connections.queues, queues),
  };
}

/** Intercepts transactions only: gets their items. */
export const onTransaction =
  (
    handle: (items: readonly TransactItem[], next: (items: readonly TransactItem[]) => Promise<Answer>) => Promise<Answer>,
  ): Interception['database'] =>
  (command, input, next) =>
    command === 'TransactWriteCommand' ? handle(input.TransactItems!, (items) => next({ ...input, TransactItems: items })) : next(input);

/** Changes each write of each transaction. */
export const onWrite = (change: (item: TransactItem) => TransactItem | undefined): Interception['database'] =>
  onTransaction((items, next) => next(items.flatMap((item) => change(item) ?? [])));

export const tableOf = (item: TransactItem): string => Object.values(item)[0]!.TableName;
export const withoutCondition = (item: TransactItem): TransactItem => {
  const [kind, write] = Object.entries(item)[0]!;
  const { ConditionExpression: _, ReturnValuesOnConditionCheckFailure: __, ...rest } = write;
  return { [kind]: rest };
};
export const unconditioned = (table: string, condition: string): Interception['database'] =>
  onWrite((item) => (tableOf(item) === table && Object.values(item)[0]!.ConditionExpression === condition ? withoutCondition(item) : item));
export const reasonsOf = (error: unknown): string[] =>
  ((error as { CancellationReasons?: { Code: string }[] }).CancellationReasons ?? []).map(({ Code }) => Code);
type Wrap = (name: string, connections: QueueConnections) => QueueConnections;

/** For every function. */
export const everywhere =
  (interception: Interception): Wrap =>
  (_name, connections) =>
    intercept(connections, interception);
/** For these functions. */
export const only =
  (functions: readonly string[], interception: Interception): Wrap =>
  (name, connections) =>
    functions.includes(name) ? intercept(connections, interception) : connections;
