import type { Context } from 'aws-lambda';
import type { QueueConnections } from '@outbox-saga/kit/function/wiring';
import type { Durations } from '@outbox-saga/kit/messages/durations';
import type { Topology } from '@outbox-saga/kit/messages/topology';
import type { TableDefinition } from '@outbox-saga/kit/tables';
import type { Site } from './calls.ts';

export type Handler = (event: unknown, context: Context) => Promise<unknown>;

/** A request that a function sends by `fetch`. */
export interface OutsideRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Parsed, if it was JSON. */
  readonly body: unknown;
}

/** What is neither DynamoDB nor SQS: providers, a mail service. */
export interface Outside {
  /** What a request is, for crash points: without ids, or every one of them would be a place of its own. */
  siteOf(request: OutsideRequest): Pick<Site, 'target' | 'needs' | 'mayPend'>;
  handle(request: OutsideRequest): {
    readonly status: number;
    readonly body: unknown;
    readonly headers?: Readonly<Record<string, string>> | undefined;
  };
  /** For the fault `provider-pending`: what the request is about, if its outcome can be unknown for a while. */
  pendingOf?(request: OutsideRequest): string | undefined;
  /** The outcome of what `pendingOf` named is not known before a time, in milliseconds since 1970. */
  delay?(what: string, until: number): void;
}

/** What is simulated: the functions as they are deployed, and what they are deployed with. */
export interface SimulatedApplication<Name extends string = string> {
  readonly tables: Readonly<Record<string, TableDefinition>>;
  /** The outbox's name among the tables. */
  readonly outboxTable: string;
  readonly topology: Topology;
  readonly durations: Durations;
  /** The function that the outbox's stream invokes. */
  readonly publisher: Name;
  /** Creates a function as its entry does, with the simulation's connections. A consumer's function has the consumer's name. Tables are named as in `tables`, queues as `queueUrl` says. */
  readonly create: (name: Name, connections: QueueConnections) => Handler;
  /** A function's time limit, in milliseconds. */
  readonly timeoutMs: (name: Name) => number;
  /** Default: whoever calls `fetch` fails the run. */
  readonly outside?: Outside;
}
