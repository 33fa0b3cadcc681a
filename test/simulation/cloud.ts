import { TransactionCanceledException } from '@aws-sdk/client-dynamodb';
import type { Context } from 'aws-lambda';
import { tables } from '../../lambdas/contract/tables.ts';
import { topology } from '../../lambdas/contract/routes.ts';
import type { Fields, Telemetry } from '../../lambdas/kit/telemetry.ts';
import { visibilityTimeoutSeconds } from '../../lambdas/contract/core/durations.ts';
import type { QueueConnections } from '../../lambdas/kit/wiring.ts';
import { injectedFaults } from '../../lambdas/kit/faults.ts';
import { idSource, type World } from '../../lambdas/kit/world.ts';
import {
  consumers,
  createFunction,
  deadLetterUrl,
  queueUrl,
  stageDurations,
  timeoutMs,
  type Handler,
  type SimulatedFunction,
} from './environments.ts';
import type { CallFault, Faults } from './faults.ts';
import { MemoryDatabase, type Call } from './memory/database.ts';
import { databasePorts } from './memory/ports.ts';
import { MemoryQueues, queuePort, type QueueCall } from './memory/queues.ts';
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
  /** How far its clock is off, in milliseconds. */
  skewMs: number;
  alive: boolean;
  busy: boolean;
}

/** What a call was, for crash points and traces. */
export interface Site {
  readonly service: 'dynamodb' | 'sqs' | 'http';
  readonly operation: string;
  readonly target: string;
}

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
}

export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

export interface Observer {
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
  readonly queues: MemoryQueues;
  readonly providers: Providers;
  readonly faults: Faults;
  readonly random: Random;
  readonly #latency: Random;
  readonly #environments = new Map<SimulatedFunction, Environment[]>();
  readonly #observer: Observer;
  readonly #sabotage: Sabotage | undefined;
  #made = 0;
  #running: Environment | undefined;
  busy = 0;
  /** Until when calls to the providers fail. */
  providersDownUntil = 0;

  constructor(seed: number, faults: Faults, observer: Observer, sabotage?: Sabotage) {
    const now = (): number => this.scheduler.now;
    this.database = new MemoryDatabase(tables, now);
    this.queues = new MemoryQueues(now);
    this.providers = new Providers(now);
    this.faults = faults;
    this.random = new Random(seed, 4);
    this.#latency = new Random(seed, 5);
    this.#observer = observer;
    this.#sabotage = sabotage;
    for (const consumer of consumers) {
      const to = deadLetterUrl(consumer);
      this.queues.create(to, { visibilitySeconds: 30, retentionSeconds: stageDurations.deadLetterRetentionSeconds });
      this.queues.create(queueUrl(consumer), {
        visibilitySeconds: visibilityTimeoutSeconds(stageDurations),
        retentionSeconds: stageDurations.queueRetentionSeconds,
        redrive: { to, after: topology.consumers[consumer as keyof typeof topology.consumers].maxReceiveCount },
      });
    }
  }

  get now(): number {
    return this.scheduler.now;
  }

  /** What `Date.now()` says to the code that runs now: the clock of its environment. */
  get apparentNow(): number {
    return this.scheduler.now + (this.#running?.skewMs ?? 0);
  }

  /** Lets one entry of the schedule happen, and whatever it resumes run until it waits again. False when nothing is left. */
  async step(): Promise<boolean> {
    if (!this.scheduler.step()) return false;
    if (this.#running) {
      // Ticks run when no microtask is left: everything that could go on has gone on.
      await new Promise((resolve) => process.nextTick(resolve));
      this.#running = undefined;
    }
    return true;
  }

  environmentsOf(name: SimulatedFunction): readonly Environment[] {
    return this.#environments.get(name) ?? [];
  }

  /** Runs a function in an idle environment, or in a new one; must be called from an entry of the schedule. */
  invoke(name: SimulatedFunction, event: unknown, done: (outcome: Outcome, environment: Environment) => void): void {
    const environment = this.environmentsOf(name).find(({ busy }) => !busy) ?? this.#create(name);
    environment.busy = true;
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
      awsRequestId: `${environment.id}/${this.now}`,
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
    const site: Site = { service: 'http', operation: method, target: new URL(url).pathname.replaceAll(/ord_\w+/g, '{id}') };
    const body: unknown = typeof init.body === 'string' ? JSON.parse(init.body) : undefined;
    const answer = await this.#call(environment, site, { url, body }, () =>
      this.providers.handle(method, url, init.headers as Record<string, string>, body),
    );
    return { status: answer.status, text: () => Promise.resolve(JSON.stringify(answer.body)) } as unknown as Response;
  }

  #create(name: SimulatedFunction): Environment {
    const id = `${name}#${++this.#made}`;
    const holder: { environment?: Environment } = {};
    const own = (): Environment => holder.environment!;
    const now = (): number => this.now + own().skewMs;
    const line = (level: 'info' | 'warn' | 'error') => (message: string, fields: Fields) => {
      if (own().alive) this.#observer.line(own(), level, message, fields);
    };
    const nothing = (): void => undefined;
    const telemetry: Telemetry = {
      info: line('info'),
      warn: line('warn'),
      error: line('error'),
      count: nothing,
      countBy: nothing,
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
    const environment: Environment = { id, name, handler: createFunction(name, wrapped), skewMs: 0, alive: true, busy: false };
    holder.environment = environment;
    const all = this.#environments.get(name);
    if (all) all.push(environment);
    else this.#environments.set(name, [environment]);
    if (this.faults.plan.kinds.has('clock-skew')) environment.skewMs = this.random.int(-5000, 5000);
    return environment;
  }

  #databaseCall(environment: Environment, call: Call): Promise<Record<string, unknown>> {
    const items = call.input.TransactItems;
    const names = items?.map((item) => Object.values(item)[0]!.TableName) ?? [
      call.input.TableName + (call.input.IndexName ? `/${call.input.IndexName}` : ''),
    ];
    const site: Site = { service: 'dynamodb', operation: call.operation, target: [...new Set(names)].join('+') };
    return this.#call(environment, site, call.input, () => this.database.execute(call));
  }

  #queueCall(environment: Environment, call: QueueCall): Promise<Record<string, unknown>> {
    const site: Site = { service: 'sqs', operation: call.operation, target: call.input.QueueUrl };
    return this.#call(environment, site, call.input, (fault) => {
      if (fault !== 'partial-batch' || !call.input.Entries) return this.queues.execute(call);
      const refused = call.input.Entries.filter(() => this.random.chance(0.5));
      const Entries = call.input.Entries.filter((entry) => !refused.includes(entry));
      const answer = Entries.length > 0 ? this.queues.execute({ ...call, input: { ...call.input, Entries } }) : {};
      const Failed = refused.map(({ Id }) => ({ Id, SenderFault: true, Code: 'Refused', Message: 'a fault' }));
      return { ...answer, Failed: [...((answer['Failed'] as unknown[]) ?? []), ...Failed] };
    });
  }

  /** One call to the outside: it takes a while, and may fail, be lost on the way there or back, or be the last thing its environment does. */
  #call<Result>(environment: Environment, site: Site, input: unknown, perform: (fault: CallFault | undefined) => Result): Promise<Result> {
    return new Promise((resolve, reject) => {
      const fault = this.faults.forCall(site.service, `${environment.name} ${site.operation} ${site.target}`, this.now);
      const latencyMs = this.#latency.int(1, 25) + (fault === 'slow-call' ? this.#latency.int(1, 30) * 1000 : 0);
      this.scheduler.after(latencyMs, () => {
        if (!environment.alive) return;
        const strike = fault && this.#applies(fault, site) ? fault : undefined;
        if (strike) this.faults.strike(strike, `${environment.id} ${site.operation} ${site.target}`);
        if (strike === 'crash-before') {
          this.#observer.crash(environment, site, 'before');
          return this.kill(environment, 'crashed');
        }
        this.#observer.call(environment, site, input);
        const refusal = strike && this.#refusal(strike, input);
        const down = site.service === 'http' && this.now < this.providersDownUntil;
        let settle: () => void;
        try {
          if (refusal) throw refusal;
          if (down) throw named('TypeError', 'fetch failed');
          if (strike === 'provider-pending') this.#delayProvider(input);
          const result = perform(strike);
          const lost = strike !== undefined && strike.endsWith('-answer-lost');
          settle = lost ? () => reject(named('TimeoutError', 'the answer was lost')) : () => resolve(result);
        } catch (error) {
          settle = () => reject(error as Error);
        }
        if (strike === 'crash-after') {
          this.#observer.crash(environment, site, 'after');
          return this.kill(environment, 'crashed');
        }
        this.#resume(environment, settle);
      });
    });
  }

  #applies(fault: CallFault, { operation }: Site): boolean {
    if (fault === 'conflict') return operation !== 'GetItem' && operation !== 'Query';
    if (fault === 'partial-batch') return operation === 'SendMessageBatch';
    if (fault === 'provider-pending') return operation === 'POST';
    return true;
  }

  #refusal(fault: CallFault, input: unknown): Error | undefined {
    const items = (input as { TransactItems?: readonly unknown[] }).TransactItems;
    const cancelled = (Code: string): Error => {
      const victim = this.random.int(0, items!.length - 1);
      const CancellationReasons = items!.map((_, i) => ({ Code: i === victim ? Code : 'None' }));
      return new TransactionCanceledException({ $metadata: {}, message: `Transaction cancelled [${Code}]`, CancellationReasons });
    };
    switch (fault) {
      case 'throttled':
        return items ? cancelled('ThrottlingError') : named('ProvisionedThroughputExceededException', 'throttled');
      case 'conflict':
        return items ? cancelled('TransactionConflict') : named('TransactionConflictException', 'a transaction is ongoing');
      case 'database-error':
        return named('InternalServerError', 'a fault');
      case 'queue-down':
        return named('ServiceUnavailable', 'a fault');
      case 'provider-error':
        return named('TypeError', 'fetch failed');
      default:
        return undefined;
    }
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

function named(name: string, message: string): Error {
  return Object.assign(new Error(message), { name });
}
