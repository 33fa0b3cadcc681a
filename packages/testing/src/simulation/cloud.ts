import type { Context } from 'aws-lambda';
import { SqsEngine } from '@outbox-saga/emulator/sqs/engine';
import type { Message } from '@outbox-saga/emulator/sqs/message';
import { memoryOnly } from '@outbox-saga/emulator/sqs/storage';
import { injectedFaults } from '@outbox-saga/kit/function/faults';
import type { QueueConnections } from '@outbox-saga/kit/function/wiring';
import { idSource, type World } from '@outbox-saga/kit/function/world';
import { visibilityTimeoutSeconds } from '@outbox-saga/kit/messages/durations';
import type { Fields, Telemetry } from '@outbox-saga/kit/telemetry/telemetry';
import type { Handler, SimulatedApplication } from './application.ts';
import { CallsUnderWay } from './calls-under-way.ts';
import type { Site } from './calls.ts';
import { MemoryDatabase, type Call } from './database.ts';
import type { Faults } from './faults.ts';
import { patienceOf } from './globals.ts';
import { Outages } from './outages.ts';
import { databasePorts, queuePort, type QueueCall } from './ports.ts';
import { deadLetterUrl, queueUrl, siteOfQueue } from './queue-names.ts';
import { Random } from './random.ts';
import type { Fetch, Sabotage } from './sabotage.ts';
import { Scheduler } from './scheduler.ts';

/** A run begins here, on every machine. */
export const start = Date.UTC(2026, 0, 1);

/** One execution environment of a function. */
export interface Environment<Name extends string = string> {
  readonly id: string;
  readonly name: Name;
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

export type Outcome = { readonly ok: true; readonly result: unknown } | { readonly ok: false; readonly error: string };

/** Clients of AWS give a call up after this (packages/kit/src/aws/clients.ts), and whoever called decides again. */
const requestTimeoutMs = 2000;

/** Sees what happens in a cloud. */
export interface Observer<Name extends string = string> {
  /** What a queue has taken. */
  sent(url: string, bodies: readonly string[]): void;
  /** What a queue has refused as the sender's fault. */
  refused(bodies: readonly string[]): void;
  /** A call of it went wrong, or it ended in the middle. */
  troubled(environment: Environment<Name>): void;
  line(environment: Environment<Name>, level: 'info' | 'warn' | 'error', message: string, fields: Fields): void;
  /** Before each call is carried out, with what it asks. */
  call(environment: Environment<Name>, site: Site, input: unknown): void;
  crash(environment: Environment<Name>, site: Site, when: 'before' | 'after'): void;
}

/** What a cloud is made with. */
export interface CloudOptions<Name extends string> {
  readonly application: SimulatedApplication<Name>;
  /** The same seed gives the same run, on every machine. */
  readonly seed: number;
  readonly faults: Faults;
  readonly observer: Observer<Name>;
  readonly sabotage?: Sabotage<Name> | undefined;
}

/**
 * The cloud that a run happens in: tables, queues, what is outside and execution environments under one virtual clock. Each call of a
 * function to the outside takes a while and may meet a fault; one environment runs at a time, until all it does is wait.
 */
export class Cloud<Name extends string = string> {
  readonly application: SimulatedApplication<Name>;
  readonly scheduler = new Scheduler(start);
  readonly database: MemoryDatabase;
  readonly queues: SqsEngine;
  readonly outages: Outages;
  readonly faults: Faults;
  readonly random: Random;
  readonly #latency: Random;
  readonly #environments = new Map<Name, Environment<Name>[]>();
  readonly #observer: Observer<Name>;
  readonly #sabotage: Sabotage<Name> | undefined;
  readonly #calls: CallsUnderWay<Name>;
  #made = 0;
  #invocations = 0;
  #running: Environment<Name> | undefined;
  busy = 0;
  /** Queues that lose what they take next, by the fault that makes them. */
  readonly losing = new Map<string, string>();
  onLost: (url: string, message: Message) => void = () => undefined;
  /** Rewrites what senders of newer code say. */
  say: ((body: string) => string) | undefined;
  /** Whether all code is the newer one. */
  deployed = false;
  /** Whose call is being carried out, and which of its invocations made it. */
  caller: Pick<Environment<Name>, 'name' | 'requestId'> | undefined;

  constructor({ application, seed, faults, observer, sabotage }: CloudOptions<Name>) {
    const now = (): number => this.scheduler.now;
    this.application = application;
    this.database = new MemoryDatabase(application.tables, now);
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
    this.outages = new Outages(now);
    this.faults = faults;
    this.random = new Random(seed, 4);
    this.#latency = new Random(seed, 5);
    this.#observer = observer;
    this.#sabotage = sabotage;
    this.#calls = new CallsUnderWay({
      cloud: this,
      latency: this.#latency,
      observer,
      resume: (environment, run) => this.#resume(environment, run),
    });
    const { topology, durations } = application;
    for (const [consumer, { maxReceiveCount }] of Object.entries(topology.consumers)) {
      const deadLetterTargetArn = this.#createQueue(deadLetterUrl(consumer), {
        MessageRetentionPeriod: String(durations.deadLetterRetentionSeconds),
      });
      this.#createQueue(queueUrl(consumer), {
        VisibilityTimeout: String(visibilityTimeoutSeconds(durations)),
        MessageRetentionPeriod: String(durations.queueRetentionSeconds),
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
  #clockOf(environment: Environment<Name>): number {
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

  environmentsOf(name: Name): readonly Environment<Name>[] {
    return this.#environments.get(name) ?? [];
  }

  /** Runs a function in an idle environment, or in a new one; must be called from an entry of the schedule. */
  invoke(name: Name, event: unknown, done: (outcome: Outcome, environment: Environment<Name>) => void): void {
    const environment = this.environmentsOf(name).find(({ busy }) => !busy) ?? this.#create(name);
    environment.busy = true;
    environment.requestId = `${environment.id}/${++this.#invocations}`;
    environment.troubles = 0;
    environment.unanswered = 0;
    this.busy++;
    const endsAt = this.now + this.application.timeoutMs(name);
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

  readonly #ends = new Map<Environment<Name>, (outcome: Outcome) => void>();

  /** Ends an environment, as a crash or a time-out does: what it waited for never comes. */
  kill(environment: Environment<Name>, why: string): void {
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
    const { outside } = this.application;
    if (!outside) throw new Error(`${environment.name} calls ${url}, and the simulated application has nothing outside`);
    const method = init.method ?? 'GET';
    const body: unknown = typeof init.body === 'string' ? JSON.parse(init.body) : undefined;
    const request = { method, url, headers: init.headers as Record<string, string>, body };
    const site: Site = { service: 'http', operation: method, ...outside.siteOf(request) };
    const answer = await this.#calls.make({ environment, site, input: request, patienceMs: patienceOf(init.signal) }, () =>
      outside.handle(request),
    );
    const ok = answer.status >= 200 && answer.status < 300;
    const headers = new Headers(answer.headers ?? {});
    return { ok, status: answer.status, headers, text: () => Promise.resolve(JSON.stringify(answer.body)) } as unknown as Response;
  }

  #create(name: Name): Environment<Name> {
    const id = `${name}#${++this.#made}`;
    const holder: { environment?: Environment<Name> } = {};
    const own = (): Environment<Name> => holder.environment!;
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
    const environment: Environment<Name> = {
      id,
      name,
      handler: this.application.create(name, wrapped),
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

  #databaseCall(environment: Environment<Name>, call: Call): Promise<Record<string, unknown>> {
    const { TransactItems: items, TableName: table, IndexName: index } = call.input;
    const needs = items ? [...new Set(items.map((item) => Object.values(item)[0]!.TableName))] : [table];
    const target = needs.join('+') + (index === undefined ? '' : `/${index}`);
    const site: Site = { service: 'dynamodb', operation: call.operation, target, needs };
    return this.#calls.make({ environment, site, input: call.input, patienceMs: this.#patienceMs }, () => {
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
      const row = item.Put?.TableName === this.application.outboxTable ? item.Put.Item! : undefined;
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

  #queueCall(environment: Environment<Name>, call: QueueCall): Promise<Record<string, unknown>> {
    const { QueueUrl: url } = call.input;
    // A publisher of newer code feeds consumers of older code.
    const Entries = this.say
      ? call.input.Entries?.map((entry) => ({ ...entry, MessageBody: this.say!(entry.MessageBody) }))
      : call.input.Entries;
    const site: Site = { service: 'sqs', operation: call.operation, target: siteOfQueue(url), needs: [url] };
    return this.#calls.make({ environment, site, input: call.input, patienceMs: this.#patienceMs }, (fault) => {
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

  #wait(environment: Environment<Name>, milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      // The clock shows whole milliseconds.
      this.scheduler.after(Math.ceil(milliseconds), () => {
        if (environment.alive) this.#resume(environment, resolve);
      });
    });
  }

  #resume(environment: Environment<Name>, run: () => void): void {
    if (this.#running) throw new Error(`${environment.id} is resumed while ${this.#running.id} runs`);
    this.#running = environment;
    run();
  }
}
