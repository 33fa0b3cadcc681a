import type { Durations } from '../messages/durations.ts';
import type { Topology } from '../messages/topology.ts';
import { connectDatabase, type Database, type Queues } from '../aws/clients.ts';
import type { CommitContext } from '../outbox/commit.ts';
import { failureCounter } from '../consumer/failures.ts';
import { injectedFaults, type InjectedFaults } from './faults.ts';
import { createConsumer, type Subscription } from '../consumer/consume.ts';
import { runOncePerMessage } from '../consumer/idempotency.ts';
import { createTelemetry, type Telemetry } from '../telemetry/telemetry.ts';
import { systemWorld, type World } from './world.ts';

/** One function's hold on the world: clients, clock, logger. A handler gets it and makes none itself, so that the simulation runs the same handler. */
export interface Connections {
  /** Of the function: log lines, metrics and the timeline carry it. */
  readonly name: string;
  readonly telemetry: Telemetry;
  readonly world: World;
  readonly faults: InjectedFaults;
  readonly client: ReturnType<typeof connectDatabase>['client'];
  readonly database: Database;
}

/** As `Connections`, for functions that receive or send messages. */
export interface QueueConnections extends Connections {
  readonly queues: Queues;
}

/** The variable that deploy time gives to every function. */
interface FunctionEnvironment {
  readonly STAGE: string;
}

/** Connects a function to the real world, once, while its environment initialises. */
export function connect(name: string, { STAGE: stage }: FunctionEnvironment): Connections {
  return { name, telemetry: createTelemetry(name, stage), world: systemWorld, faults: injectedFaults(systemWorld), ...connectDatabase() };
}

/** The variables that deploy time gives to every sender (`senderEnvironment` of the Outbox construct). */
export interface SenderEnvironment {
  readonly OUTBOX_TABLE: string;
  readonly OUTBOX_INDEX_PENDING: boolean;
}

/** What a store commits through. */
export function commitsTo(environment: SenderEnvironment, durations: Durations, { name, database, world }: Connections): CommitContext {
  return {
    database,
    outboxTable: environment.OUTBOX_TABLE,
    source: name,
    outboxExpirySeconds: durations.outboxExpirySeconds,
    ...(environment.OUTBOX_INDEX_PENDING ? { pendingSeconds: durations.relay.pendingSeconds } : {}),
    world,
  };
}

/** The variables that deploy time gives to every consumer. Its failures are counted in the idempotency table, whether or not its policy asks for more. */
export interface ConsumerEnvironment {
  readonly QUEUE_URL: string;
  readonly DEAD_LETTER_QUEUE_URL: string;
  readonly IDEMPOTENCY_TABLE: string;
}

/** A Lambda handler for a consumer's queue. */
export function consumeFrom<T extends Topology, Consumer extends string>(
  environment: ConsumerEnvironment,
  { client, database, queues, telemetry, world, faults }: QueueConnections,
  subscription: Subscription<T, Consumer>,
): ReturnType<typeof createConsumer> {
  const { consumer, topology, durations } = subscription;
  const { IDEMPOTENCY_TABLE: table } = environment;
  const { idempotencyExpirySeconds: expiry } = durations;
  return createConsumer({
    ...subscription,
    queues,
    queueUrl: environment.QUEUE_URL,
    deadLetterQueueUrl: environment.DEAD_LETTER_QUEUE_URL,
    telemetry,
    world,
    faults,
    countFailure: failureCounter({ database, table, consumer, expiresAfterSeconds: expiry, world }),
    ...(topology.consumers[consumer]?.idempotent ? { runOnce: runOncePerMessage(client, table, consumer, expiry) } : {}),
  });
}
