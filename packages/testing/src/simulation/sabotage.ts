import type { QueueConnections } from '@outbox-saga/kit/function/wiring';
import type { Cloud } from './cloud.ts';

export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

/** A mistake that somebody could make in the product, put between a function and the cloud. */
export interface Sabotage<Name extends string = string> {
  readonly name: string;
  /** What the product would do, in a few words. */
  readonly what: string;
  /** Other connections for a function than the cloud's. */
  readonly wrap?: (name: Name, connections: QueueConnections, cloud: Cloud<Name>) => QueueConnections;
  /** Another way to call a provider. */
  readonly fetch?: (url: string, init: RequestInit, next: Fetch) => Promise<Response>;
  /** How long a client of AWS waits for an answer. */
  readonly requestTimeoutMs?: number;
}
