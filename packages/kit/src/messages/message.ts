import { issuesOf, type Envelope } from './envelope.ts';
import { invariant } from '../errors.ts';
import type { DataOf, MessageDefinitions, Topology } from './topology.ts';
import type { World } from '../function/world.ts';
import { currentTraceparent } from '../telemetry/trace.ts';

/** What a new message takes over from what caused it. */
export interface MessageContext {
  readonly aggregateId: string;
  /** The aggregate's version after this message; absent when it changes none. */
  readonly sequence?: number;
  readonly groupId: string;
  readonly correlationId: string;
  readonly causationId: string;
  /** When what it tells of happened, in milliseconds since 1970; by default, when the message is made. */
  readonly occurredAt?: number;
}

/** Makes messages of one service's types. */
export type MakeMessage<Definitions extends MessageDefinitions> = <Type extends keyof Definitions & string>(
  type: Type,
  data: DataOf<Definitions, Type>,
  context: MessageContext,
) => Envelope<Type, DataOf<Definitions, Type>>;

/**
 * Binds a topology and a world into the one place where envelopes are made.
 * The payload is checked by its own schema: a malformed message must fail its commit, not its consumers.
 */
export function messageMaker<Definitions extends MessageDefinitions>(
  topology: Topology<Definitions>,
  world: World,
): MakeMessage<Definitions> {
  return (type, data, context) => {
    const definition = topology.messages[type];
    const route = topology.routes[type];
    invariant(definition && route, `message type ${type} is registered`);
    const parsed = definition.data.safeParse(data);
    invariant(parsed.success, `${type}.data is well-formed (${parsed.success ? '' : issuesOf(parsed.error)})`);
    return {
      messageId: world.newId(),
      type,
      version: definition.version,
      kind: route.kind,
      aggregateId: context.aggregateId,
      sequence: context.sequence,
      groupId: context.groupId,
      correlationId: context.correlationId,
      causationId: context.causationId,
      traceparent: currentTraceparent(),
      occurredAt: context.occurredAt ?? world.now(),
      data: parsed.data as typeof data,
    };
  };
}

/** The context of a reply: same aggregate, group and correlation, caused by the message that is answered. */
export function replyTo(message: Envelope): MessageContext {
  return {
    aggregateId: message.aggregateId,
    groupId: message.groupId,
    correlationId: message.correlationId,
    causationId: message.messageId,
  };
}
