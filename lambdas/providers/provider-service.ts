import type { Envelope } from '@outbox-saga/kit/messages/envelope';
import type { Topology } from '@outbox-saga/kit/messages/topology';
import type { MessageHandlers } from '@outbox-saga/kit/consumer/consume';
import type { EffectState } from '@outbox-saga/kit/effects/effect';
import type { EffectPort } from '@outbox-saga/kit/effects/effect-port';
import { performEffect, undoEffect, type EffectContext } from '@outbox-saga/kit/effects/effect-run';
import { messageMaker, replyTo, type MakeMessage } from '@outbox-saga/kit/messages/message';
import { secretReader, type ProviderOptions } from '@outbox-saga/kit/effects/provider';
import type { OrderDurations } from '../contract/durations.ts';
import type { MessageData, messages, MessageType, NewMessage } from '../contract/messages.ts';
import { topology, type Consumer, type MessagesTo } from '../contract/routes.ts';
import { sandboxLedger, type SandboxLedger } from './sandbox-ledger.ts';
import {
  commitsTo,
  consumeFrom,
  type ConsumerEnvironment,
  type QueueConnections,
  type SenderEnvironment,
} from '@outbox-saga/kit/function/wiring';
import type { World } from '@outbox-saga/kit/function/world';

/**
 * A service that has one effect done, and undone, at a provider: the messages that ask for it, what the provider is asked, and what is replied.
 * `Do` and `Undo` are the types of the two messages.
 */
export interface ProviderService<Request, Do extends MessageType, Undo extends MessageType> {
  /** What the states are called in its table. */
  readonly states: Readonly<Record<EffectState, string>>;
  readonly messages: { readonly do: Do; readonly undo: Undo };
  readonly requestOf: (message: MessageOf<Do>) => Request;
  readonly replies: {
    readonly done: (message: MessageOf<Do>, reference: string) => NewMessage;
    readonly refused: (message: MessageOf<Do>, reason: string) => NewMessage;
    /** @param undone whether there was something to undo */
    readonly undone: (message: MessageOf<Undo>, undone: boolean) => NewMessage;
  };
}

type MessageOf<Type extends MessageType> = Envelope<Type, MessageData<Type>>;

/** Handles both messages. An effect's record lies under the id of the message's aggregate. */
export function effectHandlers<Request, Do extends MessageType, Undo extends MessageType>(
  { requestOf, replies }: ProviderService<Request, Do, Undo>,
  effects: EffectContext<Request>,
  makeMessage: MakeMessage<typeof messages>,
) {
  const reply = (message: Envelope, { type, data }: NewMessage): Envelope => makeMessage(type, data, replyTo(message));
  return {
    do: (message: MessageOf<Do>): Promise<string> =>
      performEffect(effects, message.aggregateId, requestOf(message), {
        done: (reference) => reply(message, replies.done(message, reference)),
        refused: (reason) => reply(message, replies.refused(message, reason)),
      }),
    undo: (message: MessageOf<Undo>): Promise<string> =>
      undoEffect(effects, message.aggregateId, (undone) => reply(message, replies.undone(message, undone))),
  };
}

/** The variables of a function that calls a provider. Without a URL the sandbox answers. */
export interface ProviderEnvironment extends ConsumerEnvironment, SenderEnvironment {
  readonly PROVIDER_URL?: string | undefined;
  readonly PROVIDER_SECRET_ID?: string | undefined;
  readonly SANDBOX_LEDGER_TABLE?: string | undefined;
}

/** A provider as it is reached in each way. */
export interface ProviderAdapters<Request> {
  readonly http: (options: ProviderOptions) => EffectPort<Request>;
  readonly sandbox: (ledger: SandboxLedger, world: World) => EffectPort<Request>;
}

/** @throws Error when the environment names no provider */
function choosePort<Request>(
  environment: ProviderEnvironment,
  { http, sandbox }: ProviderAdapters<Request>,
  { name, database, world }: QueueConnections,
  timeoutMs: number,
): EffectPort<Request> {
  if (environment.PROVIDER_URL !== undefined) {
    const secret = secretReader(environment.PROVIDER_SECRET_ID, () => world.now());
    return http({ url: environment.PROVIDER_URL, secret, timeoutMs });
  }
  if (environment.SANDBOX_LEDGER_TABLE !== undefined) return sandbox(sandboxLedger(database, environment.SANDBOX_LEDGER_TABLE), world);
  throw new Error(`environment of function ${name}: neither PROVIDER_URL nor SANDBOX_LEDGER_TABLE is set`);
}

/** Messages that the routes send to a service, and that it does not serve: with one, `serveProvider` does not compile. */
type Complete<Unserved extends string> = [Unserved] extends [never] ? unknown : { readonly 'does not serve': Unserved };

interface ServiceSettings<Name extends Consumer> {
  /** The service's name in the routes. */
  readonly consumer: Name;
  readonly durations: OrderDurations;
  /** Where the effects' records lie. */
  readonly table: string;
  /** Name of the table's key attribute. */
  readonly keyName: string;
}

/** A Lambda handler for the queue of such a service. */
export function serveProvider<Name extends Consumer, Request, Do extends MessageType, Undo extends MessageType>(
  service: ProviderService<Request, Do, Undo> & ProviderAdapters<Request> & Complete<Exclude<MessagesTo<Name>['type'], Do | Undo>>,
  { consumer, durations, table, keyName }: ServiceSettings<Name>,
  environment: ProviderEnvironment,
  connections: QueueConnections,
): ReturnType<typeof consumeFrom> {
  // Half of the function's time: the outcome still has to be committed, and a retry costs less than a timeout.
  const port = choosePort(environment, service, connections, durations.consumerTimeoutSeconds * 500);
  const effects: EffectContext<Request> = {
    ...commitsTo(environment, durations, connections),
    table,
    keyName,
    names: service.states,
    port,
    providerKeySeconds: durations.providerKeySeconds,
    callSeconds: durations.consumerTimeoutSeconds,
  };
  const handlers = effectHandlers(service, effects, messageMaker(topology, connections.world));
  return consumeFrom(environment, connections, {
    consumer,
    topology,
    durations,
    // The type of the service holds that these are all.
    handlers: { [service.messages.do]: handlers.do, [service.messages.undo]: handlers.undo } as unknown as MessageHandlers<
      Topology,
      string
    >,
  });
}
