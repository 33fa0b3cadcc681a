import type * as z from 'zod';
import { decodeEnvelope, issuesOf, type Envelope, type MessageKind } from './envelope.ts';
import { PermanentError, TransientError } from '../errors.ts';
import { assertDurations, type Durations } from './durations.ts';
import { expectedReceives, type RetryPolicy } from './retry-policy.ts';

/** One version of a message type: its number and the schema of its payload. */
export interface MessageDefinition<Schema extends z.ZodType = z.ZodType> {
  readonly version: number;
  readonly data: Schema;
  /**
   * Older version → what makes its payload one of the next version. Messages wait for days in queues and for weeks in dead-letter queues: an upcast
   * stays until nothing of its version can be left. Each link of the chain up to `version` must be there. Default: none, only `version` is read.
   */
  readonly upcasts?: Readonly<Record<number, (data: unknown) => unknown>>;
}

export type MessageDefinitions = Readonly<Record<string, MessageDefinition>>;

/** The payload type of one message type, inferred from its schema. */
export type DataOf<Definitions extends MessageDefinitions, Type extends keyof Definitions> = z.infer<Definitions[Type]['data']>;

/** Who gets a message type. Every consumer has a queue of its own; a message goes to all of them. */
export interface Route<Consumer extends string = string> {
  readonly kind: MessageKind;
  readonly consumers: readonly Consumer[];
}

/** How one consumer is fed. Sizes in messages; its times come from the stage's durations. */
export interface ConsumerPolicy {
  /**
   * `actor`: the work goes on only when it has answered, so what it lacks holds its aggregate up. `listener`: it only wants to know (a read model,
   * a mail), and nothing may wait for it: no deadline and no other consumer.
   */
  readonly role: 'actor' | 'listener';
  /** Messages per invocation, 1 to 10. */
  readonly batchSize: number;
  /** Upper bound of concurrent invocations for this queue (MaximumConcurrency, 2 to 1000). */
  readonly maximumConcurrency: number;
  /**
   * Receives after which SQS itself dead-letters: the backstop for consumers that die before they can decide. At least 30,
   * and well above what the retry window allows (`assertReceives`).
   */
  readonly maxReceiveCount: number;
  /** Whether Powertools idempotency wraps each record. Not needed where the natural key or a checkpoint already absorbs duplicates. */
  readonly idempotent: boolean;
}

/** A route for each message type. */
export type Routes<Definitions extends MessageDefinitions, Consumer extends string> = {
  readonly [Type in keyof Definitions]: Route<Consumer>;
};

/** Message types, their routes and their consumers: the whole wiring of a service, as data. */
export interface Topology<
  Definitions extends MessageDefinitions = MessageDefinitions,
  Consumer extends string = string,
  Routed extends Routes<Definitions, Consumer> = Routes<Definitions, Consumer>,
> {
  readonly messages: Definitions;
  readonly routes: Routed;
  readonly consumers: Readonly<Record<Consumer, ConsumerPolicy>>;
}

/** The names of the message types that the routes send to a consumer. */
export type TypesTo<T extends Topology, Consumer extends string> = {
  [Type in keyof T['routes'] & string]: Consumer extends T['routes'][Type]['consumers'][number] ? Type : never;
}[keyof T['routes'] & string];

/** Every message that the routes send to a consumer, with its payload. */
export type MessagesTo<T extends Topology, Consumer extends string> = {
  [Type in TypesTo<T, Consumer>]: Envelope<Type, DataOf<T['messages'], Type>>;
}[TypesTo<T, Consumer>];

/**
 * Checks a topology when it is loaded and returns it unchanged.
 *
 * @throws Error that names every route or policy that cannot work
 */
export function defineTopology<
  const Definitions extends MessageDefinitions,
  const Consumer extends string,
  const Routed extends Routes<Definitions, Consumer>,
>(topology: Topology<Definitions, Consumer, Routed>): Topology<Definitions, Consumer, Routed> {
  const broken: string[] = [];
  const fed = new Set<string>();
  for (const [type, route] of Object.entries<Route>(topology.routes)) {
    if (!Object.hasOwn(topology.messages, type)) broken.push(`route ${type} has no message definition`);
    if (route.consumers.length === 0) broken.push(`route ${type} has no consumer`);
    if (new Set(route.consumers).size !== route.consumers.length) broken.push(`route ${type} names a consumer twice`);
    if (type.length > 64) broken.push(`message type ${type} is longer than 64 characters`);
    for (const consumer of route.consumers) {
      fed.add(consumer);
      if (!Object.hasOwn(topology.consumers, consumer)) broken.push(`route ${type}: consumer ${consumer} is not defined`);
    }
  }
  for (const [type, { version, upcasts = {} }] of Object.entries<MessageDefinition>(topology.messages)) {
    if (!Object.hasOwn(topology.routes, type)) broken.push(`message type ${type} has no route`);
    const from = Object.keys(upcasts).map(Number);
    for (let link = Math.min(version, ...from); link < version; link++) {
      if (!from.includes(link)) broken.push(`message type ${type} has no upcast from version ${link} to ${link + 1}`);
    }
    for (const link of from)
      if (link >= version) broken.push(`message type ${type} has an upcast from version ${link}, but is at ${version}`);
  }
  for (const [consumer, policy] of Object.entries<ConsumerPolicy>(topology.consumers)) {
    if (!fed.has(consumer)) broken.push(`consumer ${consumer} gets no message`);
    if (!(policy.batchSize >= 1 && policy.batchSize <= 10)) broken.push(`${consumer}.batchSize must be 1 to 10`);
    if (!(policy.maximumConcurrency >= 2 && policy.maximumConcurrency <= 1000))
      broken.push(`${consumer}.maximumConcurrency must be 2 to 1000`);
    if (policy.maxReceiveCount < 30) broken.push(`${consumer}.maxReceiveCount must be at least 30`);
  }
  if (broken.length > 0) throw new Error(`message routes do not fit together:\n  ${broken.join('\n  ')}`);
  return topology;
}

/**
 * Asserts that our own retry window ends before SQS gives a message up: a third of the receives is kept in reserve,
 * because waits are random.
 *
 * @throws Error that names every consumer whose maxReceiveCount is too low
 */
export function assertReceives(topology: Topology, stage: string, retry: RetryPolicy): void {
  const needed = Math.ceil(expectedReceives(retry) * 1.5);
  const broken = Object.entries(topology.consumers).filter(([, { maxReceiveCount }]) => maxReceiveCount < needed);
  if (broken.length === 0) return;
  const names = broken.map(([name, { maxReceiveCount }]) => `${name}.maxReceiveCount (${maxReceiveCount})`).join(', ');
  throw new Error(`stage "${stage}": a retry window takes ${needed} receives with reserve; too low: ${names}`);
}

/**
 * The durations of each stage, checked: each stage's fit together, and no consumer of the topology is given up by SQS before its retry window has passed.
 *
 * @throws Error that names the stage and everything that does not fit
 */
export function stageDurations<Stage extends string, D extends Durations = Durations>(
  topology: Topology,
  stages: Readonly<Record<Stage, D>>,
): Readonly<Record<Stage, D>> {
  for (const [stage, durations] of Object.entries<D>(stages)) {
    assertDurations(stage, durations);
    assertReceives(topology, stage, durations.retry);
  }
  return stages;
}

/** The route of a type that may come from outside; undefined when the type is not registered. */
export function routeOf(topology: Topology, type: string): Route | undefined {
  return Object.hasOwn(topology.routes, type) ? topology.routes[type] : undefined;
}

/** Whether all of these consumers only listen; false when there is none. */
export function onlyListeners(topology: Topology, consumers: readonly string[]): boolean {
  return consumers.length > 0 && consumers.every((consumer) => topology.consumers[consumer]?.role === 'listener');
}

/** The types that a consumer gets, in the order of the routes. */
export function typesFor(topology: Topology, consumer: string): string[] {
  return Object.entries<Route>(topology.routes)
    .filter(([, route]) => route.consumers.includes(consumer))
    .map(([type]) => type);
}

/**
 * The route of a message, by its envelope alone: what a sender must know of it.
 *
 * @throws TransientError `newer` when its type is not registered or its version is newer than this code's: while a deployment is under way,
 * the function that wrote it may be ahead of the one that reads it
 */
export function routeFor(topology: Topology, { type, version }: Pick<Envelope, 'type' | 'version'>): Route {
  const route = routeOf(topology, type);
  const definition = Object.hasOwn(topology.messages, type) ? topology.messages[type] : undefined;
  if (!route || !definition) throw new TransientError('newer', `unknown message type ${JSON.stringify(type)}`);
  if (version > definition.version) throw new TransientError('newer', unknownVersion(type, version, definition));
  return route;
}

/**
 * Reads a message and its payload by the schema of its type; a payload of an older version is brought to the present one first.
 *
 * @throws TransientError `newer` when its type or version is not known here yet
 * @throws PermanentError when its version is too old, its kind contradicts the route, or a field is malformed
 */
export function decodeMessage(topology: Topology, text: string): Envelope {
  const envelope = decodeEnvelope(text);
  const route = routeFor(topology, envelope);
  const definition = topology.messages[envelope.type]!;
  if (envelope.kind !== route.kind) {
    throw new PermanentError(`${envelope.type} is a ${route.kind}, but the message says ${envelope.kind}`);
  }
  const data = definition.data.safeParse(upcast(definition, envelope));
  if (!data.success) throw new PermanentError(`${envelope.type}.data is malformed: ${issuesOf(data.error)}`);
  return { ...envelope, version: definition.version, data: data.data };
}

/** A payload in the shape of the version that this code reads. @throws PermanentError when it is too old to be brought there */
function upcast(definition: MessageDefinition, { type, version, data: written }: Envelope): unknown {
  let data = written;
  for (let from = version; from < definition.version; from++) {
    const step = definition.upcasts?.[from];
    if (!step) throw new PermanentError(unknownVersion(type, version, definition));
    try {
      data = step(data);
    } catch (cause) {
      throw new PermanentError(`${type}.data of version ${version} cannot be read as version ${from + 1}`, { cause });
    }
  }
  return data;
}

function unknownVersion(type: string, version: number, known: MessageDefinition): string {
  return `${type} version ${version} is not known here (this code reads version ${known.version})`;
}
