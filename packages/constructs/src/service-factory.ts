import { CfnOutput } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import type { Durations } from '@outbox-saga/kit/messages/durations';
import type { FunctionDefinition } from '@outbox-saga/kit/function/definition';
import type { ConsumerPolicy, MessageDefinitions, Topology } from '@outbox-saga/kit/messages/topology';
import type { TableDefinition } from '@outbox-saga/kit/tables';
import { Consumer, type ConsumerEnvironmentOf } from './consumer.ts';
import { Outbox, type OutboxFunction, type OutboxProps } from './outbox.ts';
import { OwnedTable, type TableSettings } from './owned-table.ts';
import { ServiceFunction, type EnvironmentOf, type FunctionPart, type FunctionSettings } from './service-function.ts';

type Definitions = Readonly<Record<string, FunctionDefinition>>;

/** What an application consists of, as its contract says: a consumer's function has the consumer's name. */
export interface ServiceContract<Functions extends Definitions, TableName extends string, ConsumerName extends string> {
  readonly functions: Functions;
  readonly tables: Readonly<Record<TableName, TableDefinition>>;
  readonly topology: Topology<MessageDefinitions, ConsumerName>;
}

/** What all constructs of one application and stage have alike. */
export interface ServiceSettings extends FunctionSettings, TableSettings {
  readonly durations: Durations;
  /** Upper bound of concurrent invocations of each consumer. Default: its own policy's. */
  readonly maximumConcurrency?: number | undefined;
}

export interface ServiceFactoryProps<Functions extends Definitions, TableName extends string, ConsumerName extends string> {
  readonly contract: ServiceContract<Functions, TableName, ConsumerName>;
  /** Folder of each function's bundle. */
  readonly bundles: Readonly<Record<keyof Functions, string>>;
  readonly settings: ServiceSettings;
}

/**
 * Makes tables, functions, consumers and the outbox from a contract, with their outputs, directly in `scope`. An application's services are declared
 * with it, each in one place. A function of the contract that nothing makes fails the synth.
 *
 * @example
 * const table = services.table('payments');
 * const { function: payment } = services.consumer('payment', { PAYMENTS_TABLE: table.tableName });
 * payment.allow(['dynamodb:GetItem', 'dynamodb:PutItem'], table.tableArn);
 */
export class ServiceFactory<Functions extends Definitions, TableName extends string, ConsumerName extends string & keyof Functions> {
  readonly settings: ServiceSettings;
  readonly #scope: Construct;
  readonly #contract: ServiceContract<Functions, TableName, ConsumerName>;
  readonly #bundles: Readonly<Record<keyof Functions, string>>;

  constructor(scope: Construct, { contract, bundles, settings }: ServiceFactoryProps<Functions, TableName, ConsumerName>) {
    this.settings = settings;
    this.#scope = scope;
    this.#contract = contract;
    this.#bundles = bundles;
    scope.node.addValidation({ validate: () => this.#missing() });
  }

  /** All consumers that were made, in this order. */
  get consumers(): readonly Consumer[] {
    return Consumer.allIn(this.#scope);
  }

  /** All functions that were made, in this order. */
  get functions(): readonly ServiceFunction[] {
    return ServiceFunction.allIn(this.#scope);
  }

  /** A table, and its name as the output `<Name>TableName`, or under the id that is given. */
  table(name: TableName, outputId = `${pascalCase(name)}TableName`): OwnedTable {
    const table = new OwnedTable(this.#scope, `${pascalCase(name)}Table`, { ...this.settings, definition: this.#contract.tables[name] });
    this.#output(outputId, table.tableName);
    return table;
  }

  /** A function without a queue: behind the API, or on a schedule. */
  function<Name extends string & keyof Functions>(name: Name, environment: EnvironmentOf<Functions[Name]>): ServiceFunction {
    return new ServiceFunction<Functions[Name]>(this.#scope, pascalCase(name), { ...this.settings, ...this.part(name, environment) });
  }

  /** A consumer, and the URLs of its queues as the outputs `<Name>QueueUrl` and `<Name>DeadLetterQueueUrl`. */
  consumer<Name extends ConsumerName>(name: Name, environment: ConsumerEnvironmentOf<Functions[Name]>): Consumer {
    const { durations } = this.settings;
    const policy: ConsumerPolicy = this.#contract.topology.consumers[name];
    const consumer = new Consumer<Functions[Name]>(this.#scope, pascalCase(name), {
      ...this.settings,
      ...this.part(name, environment),
      policy,
      batchWindowSeconds: durations.batchWindowSeconds,
      queueRetentionSeconds: durations.queueRetentionSeconds,
      deadLetterRetentionSeconds: durations.deadLetterRetentionSeconds,
    });
    this.#output(`${pascalCase(name)}QueueUrl`, consumer.queue.queueUrl);
    this.#output(`${pascalCase(name)}DeadLetterQueueUrl`, consumer.deadLetters.queueUrl);
    return consumer;
  }

  /** The outbox, and its table's name as the output `OutboxTableName`. */
  outbox(props: Pick<OutboxProps, 'indexPending'> = {}): Outbox {
    const { deadLetterRetentionSeconds } = this.settings.durations;
    const outbox = new Outbox(this.#scope, 'Outbox', { ...this.settings, deadLetterRetentionSeconds, ...props });
    this.#output('OutboxTableName', outbox.table.tableName);
    return outbox;
  }

  /** Connects the outbox to all consumers that were made; call it when all were. @throws Error that names each consumer of the topology that was not */
  publish<Publisher extends FunctionDefinition, Relay extends FunctionDefinition>(
    outbox: Outbox,
    functions: { readonly publisher: OutboxFunction<Publisher>; readonly relay: OutboxFunction<Relay> },
  ): void {
    outbox.publishTo({ topology: this.#contract.topology, consumers: this.consumers, ...functions });
  }

  /** What deploy time knows of a function. */
  part<Name extends string & keyof Functions, Environment>(
    name: Name,
    environment: Environment,
  ): FunctionPart<Functions[Name], Environment> {
    const definition: Functions[Name] = this.#contract.functions[name];
    const timeoutSeconds = definition.timeoutSeconds(this.settings.durations);
    return { name, definition, bundle: this.#bundles[name], timeoutSeconds, environment };
  }

  /** A function that was made. @throws Error when it was not, or not yet */
  made(name: string & keyof Functions): ServiceFunction {
    const found = this.functions.find(({ serviceName }) => serviceName === name);
    if (!found) throw new Error(`function ${name}: ${this.#scope.node.path} has not made it yet`);
    return found;
  }

  #missing(): string[] {
    const made = new Set(this.functions.map(({ serviceName }) => serviceName));
    return Object.keys(this.#contract.functions)
      .filter((name) => !made.has(name))
      .map(
        (name) => `function ${name}: the contract names it, and no service makes it: call function() or consumer() for it, or take it out`,
      );
  }

  #output(id: string, value: string): void {
    new CfnOutput(this.#scope, id, { value });
  }
}

/** `place-order` → `PlaceOrder`. */
function pascalCase(name: string): string {
  return name.replaceAll(/(^|-)([a-zA-Z])/g, (_, _dash, letter: string) => letter.toUpperCase());
}
