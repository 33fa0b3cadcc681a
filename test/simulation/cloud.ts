import type { Context } from 'aws-lambda';
import { tables } from '../../lambdas/contract/tables.ts';
import { topology } from '../../lambdas/contract/routes.ts';
import type { Fields, Telemetry } from '@outbox-saga/kit/telemetry/telemetry';
import { visibilityTimeoutSeconds } from '@outbox-saga/kit/messages/durations';
import type { QueueConnections } from '@outbox-saga/kit/function/wiring';
import { injectedFaults } from '@outbox-saga/kit/function/faults';
import { idSource, type World } from '@outbox-saga/kit/function/world';
import { applies, named, outcomeOf, refusalOf, unavailable, type Site } from './calls.ts';
import {
  consumers,
  createFunction,
  deadLetterUrl,
  queueUrl,
  siteOfQueue,
  stageDurations,
  timeoutMs,
  type Handler,
  type SimulatedFunction,
} from './environments.ts';
import type { CallFault, Faults } from './faults.ts';
import { patienceOf } from './globals.ts';
import { Mailer } from './mailer.ts';
import { MemoryDatabase, type Call } from './memory/database.ts';
import { databasePorts, queuePort, type QueueCall } from './memory/ports.ts';
import { SqsEngine } from '@outbox-saga/emulator/sqs/engine';
import type { Message } from '@outbox-saga/emulator/sqs/message';
import { memoryOnly } from '@outbox-saga/emulator/sqs/storage';
import { Outages, type OutageMode } from './outages.ts';
import { Providers } from './providers.ts';
import { Random } from './random.ts';
import { Scheduler } from './scheduler.ts';

/** A run begins here, on every machine. */
export const start = Date.UTC(2026, 0, 1);

/** One execution environment of a function. */
export interface Environment {
  readonly id: string;
  readonly name: SimulatedFunction;
  readonly handler: Handler;
  /** What its clock said last. */
  shownMs: number;
  /** How far its clock is off, in milliseconds. */
  skewMs: number;
  alive: boolean;
  busy: boolean;
  /** Of the invocation that is going on, or the last: its id, how many of its calls went wrong, and how many were given up without an answer. */
  requestId: string;
  troubles: number;
  unanswered: number;
}

export type { Site };

export type Outcome = { readonly ok: true; readonly result: unknown } | { readonly ok: false; readonly error: string };

/** A mistake that somebody could make in the product, put between a function and the cloud. */
export interface Sabotage {
  readonly name: string;
  /** What the product would do, in a few words. */
  readonly what: string;
  /** Other connections for a function than the cloud's. */
  readonly wrap?: (name: SimulatedFunction, connections: QueueConnections, cloud: Cloud) => QueueConnections;
  /** Another way to call a provider. */
  readonly fetch?: (url: string, init: RequestInit, next: Fetch) => Promise<Response>;
  /** How long a client of AWS waits for an answer. */
  readonly requestTimeoutMs?: number;
}

export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

/** Clients of AWS give a call up after this (packages/kit/src/aws/clients.ts), and whoever called decides again. */
const requestTimeoutMs = 2000;

export interface Observer {
  /** What a queue has taken. */
  sent(url: string, bodies: readonly string[]): void;
  /** What a queue has refused as the sender's fault. */
  refused(bodies: readonly string[]): void;
  /** A call of it went wrong, or it ended in the middle. */
  troubled(environment: Environment): void;
  line(environment: Environment, level: 'info' | 'warn' | 'error', message: string, fields: Fields): void;
  /** Before each call is carried out, with what it asks. */
  call(environment: Environment, site: Site, input: unknown): void;
  crash(environment: Environment, site: Site, when: 'before' | 'after'): void;
}

/**
 * The cloud that a run happens in: tables, queues, providers and execution environments under one virtual clock. Each call of a
 * function to the outside takes a while and may meet a fault; one environment runs at a time, until all it does is wait.
 */
export class Cloud {
  readonly scheduler = new Scheduler(start);
  readonly database: MemoryDatabase;
  readonly queues: SqsEngine;
  readonly providers: Providers;
  readonly mailer = new Mailer();
  readonly outages: Outages;
  readonly faults: Faults;
  readonly random: Random;
  readonly #latency: Random;
  readonly #environments = new Map<SimulatedFunction, Environment[]>();
  readonly #observer: Observer;
  readonly #sabotage: Sabotage | undefined;
  #made = 0;
  #invocations = 0;
  #running: Environment | undefined;
  busy = 0;
  /** Queues that lose what they take next, by the fault that makes them. */
  readonly losing = new Map<string, 'message-lost'>();
  onLost: (url: string, message: Message) => void = () => undefined;
  /** Rewrites what senders of newer code say. */
  say: ((body: string) => string) | undefined;
  /** Whether all code is the newer one. */
  deployed = false;
  /** Whose call is being carried out, and which of its invocations made it. */
  caller: Pick<Environment, 'name' | 'requestId'> | undefined;

  constructor(seed: number, faults: Faults, observer: Observer, sabotage?: Sabotage) {
    const now = (): number => this.scheduler.now;
    this.database = new MemoryDatabase(tables, now);
    let sent = 0;
    this.queues = new SqsEngine({
      storage: memoryOnly,
      now,
      region: 'us-east-1',
      account: '000000000000',
      endpoint: () => 'queue:',
      newId: () => `sqs-${++sent}`,
      digests: false,
    });
    this.providers = new Providers(now);
    this.outages = new Outages(now);
    this.faults = faults;
    this.random = new Random(seed, 4);
    this.#latency = new Random(seed, 5);
    this.#observer = observer;
    this.#sabotage = sabotage;
    for (const consumer of consumers) {
      const { maxReceiveCount } = topology.consumers[consumer as keyof typeof topology.consumers];
      const deadLetterTargetArn = this.#createQueue(deadLetterUrl(consumer), {
        MessageRetentionPeriod: String(stageDurations.deadLetterRetentionSeconds),
      });
      this.#createQueue(queueUrl(consumer), {
        VisibilityTimeout: String(visibilityTimeoutSeconds(stageDurations)),
        MessageRetentionPeriod: String(stageDurations.queueRetentionSeconds),
        RedrivePolicy: JSON.stringify({ deadLetterTargetArn, maxReceiveCount }),
      });
    }
  }

  /** @returns its ARN */
  #createQueue(url: string, Attributes: Readonly<Record<string, string>>): string {
    this.queues.execute('CreateQueue', { QueueName: url.slice('queue:'.length), Attributes });
    const answer = this.queues.execute('GetQueueAttributes', { QueueUrl: url, AttributeNames: ['QueueArn'] });
    return (answer['Attributes'] as Record<'QueueArn', string>).QueueArn;
  }

  get now(): number {
    return this.scheduler.now;
  }

  /** What `Date.now()` says to the code that runs now: the clock of its environment. */
  get apparentNow(): number {
    return this.#running ? this.#clockOf(this.#running) : this.scheduler.now;
  }

  /** An environment's clock: off by its skew, and with `clock-ticks` a millisecond later now and then when it is asked twice. */
  #clockOf(environment: Environment): number {
    const now = this.scheduler.now + environment.skewMs;
    if (!this.faults.plan.kinds.has('clock-ticks')) return now;
    environment.shownMs = Math.max(now, environment.shownMs) + (this.random.chance(0.3) ? 1 : 0);
    return environment.shownMs;
  }

  /** Lets one entry of the schedule happen. What it resumes must `settle` before the next one. False when nothing is left. */
  step(): boolean {
    return this.scheduler.step();
  }

  get isRunning(): boolean {
    return this.#running !== undefined;
  }

  /** Lets the environment that runs go on until all it does is wait. */
  settle(): Promise<void> {
    return new Promise((resolve) => {
      // Ticks run when no microtask is left: everything that could go on has gone on.
      process.nextTick(() => {
        this.#running = undefined;
        resolve();
      });
    });
  }

  environmentsOf(name: SimulatedFunction): readonly Environment[] {
    return this.#environments.get(name) ?? [];
  }

  /** Runs a function in an idle environment, or in a new one; must be called from an entry of the schedule. */
  invoke(name: SimulatedFunction, event: unknown, done: (outcome: Outcome, environment: Environment) => void): void {
    const environment = this.environmentsOf(name).find(({ busy }) => !busy) ?? this.#create(name);
    environment.busy = true;
    environment.requestId = `${environment.id}/${++this.#invocations}`;
    environment.troubles = 0;
    environment.unanswered = 0;
    this.busy++;
    const endsAt = this.now + timeoutMs(name);
    let finished = false;
    const finish = (outcome: Outcome): void => {
      if (finished) return;
      finished = true;
      environment.busy = false;
      this.busy--;
      done(outcome, environment);
    };
    this.#ends.set(environment, finish);
    const context = {
      functionName: name,
      awsRequestId: environment.requestId,
      getRemainingTimeInMillis: () => endsAt - this.now,
    } as unknown as Context;
    this.scheduler.at(endsAt, () => {
      if (!finished) this.kill(environment, 'timed out');
    });
    this.#resume(environment, () => {
      environment.handler(event, context).then(
        (result) => environment.alive && finish({ ok: true, result }),
        (error: unknown) => environment.alive && finish({ ok: false, error: String(error) }),
      );
    });
  }

  readonly #ends = new Map<Environment, (outcome: Outcome) => void>();

  /** Ends an environment, as a crash or a time-out does: what it waited for never comes. */
  kill(environment: Environment, why: string): void {
    environment.alive = false;
    this.#observer.troubled(environment);
    const all = this.#environments.get(environment.name)!;
    all.splice(all.indexOf(environment), 1);
    const finish = this.#ends.get(environment);
    this.#ends.delete(environment);
    finish?.({ ok: false, error: why });
  }

  /** For calls of code that asks the global `fetch`: it belongs to the environment that runs. */
  fetch(url: string, init: RequestInit): Promise<Response> {
    const next: Fetch = (to, as) => this.#fetch(to, as);
    return this.#sabotage?.fetch?.(url, init, next) ?? next(url, init);
  }

  async #fetch(url: string, init: RequestInit): Promise<Response> {
    const environment = this.#running;
    if (!environment) throw new Error('fetch outside of a function');
    const method = init.method ?? 'GET';
    const { host, pathname } = new URL(url);
    const mail = host.startsWith('email.');
    const site: Site = {
      service: 'http',
      operation: method,
      target: pathname.replaceAll(/ord_\w+/g, '{id}'),
      needs: [mail ? 'mailer' : 'providers'],
    };
    const body: unknown = typeof init.body === 'string' ? JSON.parse(init.body) : undefined;
    const patienceMs = patienceOf(init.signal);
    const answer = await this.#call({ environment, site, input: { url, body }, patienceMs }, () =>
      mail ? this.mailer.handle(body) : this.providers.handle(method, url, init.headers as Record<string, string>, body),
    );
    const ok = answer.status >= 200 && answer.status < 300;
    const headers = new Headers(mail && !ok ? { 'x-amzn-errortype': 'MessageRejected' } : {});
    return { ok, status: answer.status, headers, text: () => Promise.resolve(JSON.stringify(answer.body)) } as unknown as Response;
  }

  #create(name: SimulatedFunction): Environment {
    const id = `${name}#${++this.#made}`;
    const holder: { environment?: Environment } = {};
    const own = (): Environment => holder.environment!;
    const now = (): number => this.#clockOf(own());
    const line = (level: 'info' | 'warn' | 'error') => (message: string, fields: Fields) => {
      if (own().alive) this.#observer.line(own(), level, message, fields);
    };
    const nothing = (): void => undefined;
    const telemetry: Telemetry = {
      info: line('info'),
      warn: line('warn'),
      error: line('error'),
      measure: nothing,
      measureBy: nothing,
      flush: nothing,
    };
    const world: World = {
      now,
      random: () => this.#latency.next(),
      newId: idSource(now, () => this.#latency.bits80()),
      pause: (milliseconds) => this.#wait(own(), milliseconds),
    };
    const connections: QueueConnections = {
      name,
      telemetry,
      world,
      faults: injectedFaults(world, {}),
      ...databasePorts((call) => this.#databaseCall(own(), call)),
      queues: queuePort((call) => this.#queueCall(own(), call)),
    };
    const wrapped = this.#sabotage?.wrap?.(name, connections, this) ?? connections;
    const environment: Environment = {
      id,
      name,
      handler: createFunction(name, wrapped),
      shownMs: 0,
      skewMs: 0,
      alive: true,
      busy: false,
      requestId: '',
      troubles: 0,
      unanswered: 0,
    };
    holder.environment = environment;
    const all = this.#environments.get(name);
    if (all) all.push(environment);
    else this.#environments.set(name, [environment]);
    if (this.faults.plan.kinds.has('clock-skew')) environment.skewMs = this.random.int(-5000, 5000);
    return environment;
  }

  #databaseCall(environment: Environment, call: Call): Promise<Record<string, unknown>> {
    const { TransactItems: items, TableName: table, IndexName: index } = call.input;
    const needs = items ? [...new Set(items.map((item) => Object.values(item)[0]!.TableName))] : [table];
    const target = needs.join('+') + (index === undefined ? '' : `/${index}`);
    const site: Site = { service: 'dynamodb', operation: call.operation, target, needs };
    return this.#call({ environment, site, input: call.input, patienceMs: this.#patienceMs }, () => {
      const reads = call.operation === 'GetItem' || call.operation === 'Query';
      const stale = reads && !call.input.ConsistentRead && this.faults.plan.kinds.has('stale-read') && this.random.chance(0.5);
      if (!stale) return this.database.execute(items && this.say ? this.#saidAnew(call) : call);
      const seen = this.database.execute(call, this.random.int(1, 3000));
      if (index === undefined) this.faults.strike('stale-read', `${environment.id} ${target}`);
      return seen;
    });
  }

  #saidAnew(call: Call): Call {
    const TransactItems = call.input.TransactItems!.map((item) => {
      const row = item.Put?.TableName === 'outbox' ? item.Put.Item! : undefined;
      return row ? { Put: { ...item.Put!, Item: { ...row, body: this.say!(row['body'] as string) } } } : item;
    });
    return { ...call, input: { ...call.input, TransactItems } };
  }

  /** A queue that is losing what it takes loses it now. */
  #lose(url: string): void {
    const fault = this.losing.get(url);
    if (!fault) return;
    this.losing.delete(url);
    this.faults.strike(fault, url);
    for (const message of this.queues.purge(url)) this.onLost(url, message);
  }

  #queueCall(environment: Environment, call: QueueCall): Promise<Record<string, unknown>> {
    const { QueueUrl: url } = call.input;
    // A publisher of newer code feeds consumers of older code.
    const Entries = this.say
      ? call.input.Entries?.map((entry) => ({ ...entry, MessageBody: this.say!(entry.MessageBody) }))
      : call.input.Entries;
    const site: Site = { service: 'sqs', operation: call.operation, target: siteOfQueue(url), needs: [url] };
    return this.#call({ environment, site, input: call.input, patienceMs: this.#patienceMs }, (fault) => {
      if (call.operation !== 'SendMessageBatch' || !Entries) return this.queues.execute(call.operation, call.input);
      const down = fault === 'refuses';
      const refused = down ? Entries : fault === 'partial-batch' ? Entries.filter(() => this.random.chance(0.5)) : [];
      const taken = Entries.filter((entry) => !refused.includes(entry));
      const answer = taken.length > 0 ? this.queues.execute(call.operation, { ...call.input, Entries: taken }) : {};
      const bodies = (entries: typeof Entries): string[] => entries.map(({ MessageBody }) => MessageBody);
      this.#observer.sent(url, bodies(taken));
      this.#lose(url);
      if (refused.length === 0) return answer;
      const SenderFault = !down && this.random.chance(0.5);
      if (SenderFault) this.#observer.refused(bodies(refused));
      const Failed = refused.map(({ Id }) => ({ Id, SenderFault, Code: SenderFault ? 'Refused' : 'InternalError', Message: 'a fault' }));
      return { ...answer, Failed: [...((answer['Failed'] as unknown[]) ?? []), ...Failed] };
    });
  }

  get #patienceMs(): number {
    return this.#sabotage?.requestTimeoutMs ?? requestTimeoutMs;
  }

  /**
   * One call to the outside: it takes a while, and may fail, be lost on the way there or back, never be answered, or be the last thing its
   * environment does. What is under way when its caller gives it up still arrives.
   */
  #call<Result>(
    { environment, site, input, patienceMs }: Outgoing,
    perform: (fault: CallFault | OutageMode | undefined) => Result,
  ): Promise<Result> {
    return new Promise((resolve, reject) => {
      const where = `${environment.name} ${site.operation} ${site.target}`;
      const fault = this.faults.forCall(site.service, where, this.now);
      const strike = fault && applies(fault, site) ? fault : undefined;
      const takesMs = this.#latency.int(1, 25) + (strike === 'slow-call' ? this.#latency.int(1, 30) * 1000 : 0);
      const late = takesMs > patienceMs;
      // What a provider is asked it has by the time that it can have been given up: that much its contract promises.
      const latencyMs = site.service === 'http' ? Math.min(takesMs, patienceMs) : takesMs;
      const settle = (afterMs: number, run: () => void): void =>
        this.scheduler.after(afterMs, () => {
          if (environment.alive) this.#resume(environment, run);
        });
      const giveUp = (afterMs: number): void => {
        environment.unanswered++;
        environment.troubles++;
        this.#observer.troubled(environment);
        if (afterMs < Infinity) settle(afterMs, () => reject(named('TimeoutError', 'no answer')));
      };
      const caller = { name: environment.name, requestId: environment.requestId };
      const carryOut = (how: CallFault | OutageMode | undefined): Result => {
        this.#observer.call(environment, site, input);
        this.caller = caller;
        try {
          return perform(how);
        } finally {
          this.caller = undefined;
        }
      };
      if (late) giveUp(patienceMs);
      this.scheduler.after(latencyMs, () => {
        if (!environment.alive && !late) return;
        if (strike) this.faults.strike(strike, `${environment.id} ${site.operation} ${site.target}`);
        const down = this.outages.among(site.needs);
        if (strike || down) {
          environment.troubles++;
          this.#observer.troubled(environment);
        }
        if (strike === 'crash-before') {
          this.#observer.crash(environment, site, 'before');
          return this.kill(environment, 'crashed');
        }
        if (strike === 'hang-before') return giveUp(patienceMs - latencyMs);
        if (down === 'hangs') return giveUp(patienceMs - latencyMs);
        let answer: () => void;
        try {
          const refusal = strike && refusalOf(strike, input, this.random);
          if (refusal) throw refusal;
          if (down && !(down === 'refuses' && site.operation === 'SendMessageBatch')) throw unavailable(site);
          if (strike === 'provider-pending') this.#delayProvider(input);
          const result = carryOut(down ?? strike);
          if (strike === 'hang-after') return giveUp(patienceMs - latencyMs);
          if (strike === 'sdk-retry') {
            // The first answer was lost inside the client, which asks again by itself and tells nobody.
            return this.scheduler.after(this.#latency.int(10, 300), () => {
              if (!environment.alive) return;
              this.#resume(
                environment,
                outcomeOf(() => carryOut(undefined), resolve, reject),
              );
            });
          }
          if (strike === 'in-progress') throw named('TransactionInProgressException', 'a fault');
          answer = strike?.endsWith('-answer-lost') ? () => reject(named('TimeoutError', 'the answer was lost')) : () => resolve(result);
        } catch (error) {
          answer = () => reject(error as Error);
        }
        if (strike === 'crash-after') {
          this.#observer.crash(environment, site, 'after');
          return this.kill(environment, 'crashed');
        }
        if (!late) this.#resume(environment, answer);
      });
    });
  }

  #delayProvider(input: unknown): void {
    const { url, body } = input as { url: string; body: { orderId: string } };
    if (!/\/(captures|shipments)$/.test(url)) return;
    this.providers.delay(url.endsWith('/captures') ? body.orderId : `ship ${body.orderId}`, this.now + this.random.int(1, 30) * 60_000);
  }

  #wait(environment: Environment, milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      // The clock shows whole milliseconds.
      this.scheduler.after(Math.ceil(milliseconds), () => {
        if (environment.alive) this.#resume(environment, resolve);
      });
    });
  }

  #resume(environment: Environment, run: () => void): void {
    if (this.#running) throw new Error(`${environment.id} is resumed while ${this.#running.id} runs`);
    this.#running = environment;
    run();
  }
}

interface Outgoing {
  readonly environment: Environment;
  readonly site: Site;
  readonly input: unknown;
  /** When the caller gives it up, in milliseconds. */
  readonly patienceMs: number;
}
