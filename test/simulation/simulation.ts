import { inventoryKey } from '../../lambdas/contract/tables.ts';
import type { OrderStep } from '../../lambdas/contract/order.ts';
import type { SettlesWithin } from './audit/books.ts';
import { envelopeOf, idOf } from './audit/bodies.ts';
import { Auditor, type Ends } from './auditor.ts';
import { Cloud, type Environment, type Observer, type Sabotage } from './cloud.ts';
import type { Site } from '@outbox-saga/testing/simulation/calls';
import { start } from '@outbox-saga/testing/simulation/cloud';
import { addTo, noCoverage, pairKey, siteKey, type Coverage } from './coverage.ts';
import { Disturbances } from './disturbances.ts';
import { consumers, type SimulatedFunction } from './environments.ts';
import { Faults } from '@outbox-saga/testing/simulation/faults';
import { runSchedule } from '@outbox-saga/testing/simulation/run';
import { noFaults, planFaults, profileOf, type FaultPlan } from './faults.ts';
import type { Change, Input } from '@outbox-saga/testing/simulation/database';
import type { Message } from '@outbox-saga/emulator/sqs/message';
import { People } from './people.ts';
import { QueueSource, StreamSource } from '@outbox-saga/testing/simulation/sources';
import { planWorkload, type Workload } from './workload.ts';

export interface RunOptions {
  /** Fault kinds that are left out. */
  readonly without?: ReadonlySet<string>;
  readonly sabotage?: Sabotage | undefined;
  /** Sees every change of every table. */
  readonly onChange?: (changes: readonly Change[]) => void;
  /** Gets a line for everything that happens. */
  readonly trace?: ((line: string, about: string) => void) | undefined;
}

export interface RunResult {
  readonly seed: number;
  readonly violations: readonly string[];
  readonly faults: number;
  readonly orders: number;
  /** Orders that someone cancelled, that a deadline ended, and that ended as without faults. */
  readonly cancelled: number;
  readonly timedOut: number;
  readonly same: number;
  readonly coverage: Coverage;
  /** Changes with everything that happened in the run: two runs of one seed must agree. */
  readonly digest: number;
}

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;
/** A run that is not quiet after this is not going to be. */
const patienceMs = 75 * day;
const mostSteps = 8_000_000;
const longestTickMs = 30 * minute;
/** In an outage of weeks nobody waits for the half hour. */
const longestTickOfWeeksMs = 6 * hour;
const expiresEveryMs = 12 * hour;
/** A run that chance spared gets old messages once more. */
export const fewestFaults = 5;

/** Runs a workload with the faults of its seed, and audits it against the same workload without faults. */
export async function runSeed(seed: number, options: RunOptions = {}): Promise<RunResult> {
  const workload = planWorkload(seed, profileOf(seed), options.without);
  const faultless = new Run(seed, workload, noFaults, {});
  await faultless.finish();
  if (faultless.auditor.violations.length === 0) faultless.auditor.auditFaultless(faultless.people);
  if (faultless.auditor.violations.length > 0) return faultless.result();
  const run = new Run(seed, workload, planFaults(seed, options.without), options);
  await run.finish();
  if (run.auditor.violations.length > 0) return run.result();
  const ends = run.auditor.compare(run.people, faultless.auditor.outcomes(faultless.people), run.disturbedMs);
  return run.result(ends);
}

/** How long an order may take where no fault of the run is one that it must wait for. */
function settlesWithin({ profile, kinds }: FaultPlan): SettlesWithin {
  if (kinds.size === 0) return { milliseconds: 20_000 };
  if (profile === 'hanging') return { milliseconds: 10 * minute };
  if (profile !== 'listener') return undefined;
  // What was lost is asked for again after five minutes; what a queue refused is relayed within a few. While a listener's queue hangs, each of an
  // order's messages, ten at most, waits for a call to it: two seconds.
  return { milliseconds: kinds.has('message-lost') || kinds.has('partial-batch') ? 45 * minute : minute };
}

class Run implements Observer {
  readonly auditor: Auditor;
  readonly people: People;
  readonly #seed: number;
  readonly #workload: Workload;
  readonly #plan: FaultPlan;
  readonly #cloud: Cloud;
  readonly #coverage = noCoverage();
  readonly #sources: ReadonlyMap<string, QueueSource<SimulatedFunction>>;
  readonly #stream: StreamSource<SimulatedFunction>;
  readonly #disturbances: Disturbances;
  readonly #trace: RunOptions['trace'];
  readonly #began: number;
  /** Order → inputs in hand at the saga, for the coverage of pairs. */
  readonly #inHand = new Map<string, Set<string>>();
  /** Function → operation → targets: where the key of a site is written down already. */
  readonly #seen = new Map<string, Map<string, Set<string>>>();
  #expiredAt: number;
  #digest = 0;
  #activity = 0;
  #steps = 0;
  #finished = false;

  constructor(seed: number, workload: Workload, plan: FaultPlan, options: RunOptions) {
    this.#seed = seed;
    this.#workload = workload;
    this.#plan = plan;
    this.#trace = options.trace;
    const faults = new Faults(seed, plan, start);
    faults.onFault = (kind, where) => this.#note('', 'FAULT', `${kind} ${where}`);
    const cloud = new Cloud(seed, faults, this, options.sabotage);
    this.#cloud = cloud;
    this.#began = cloud.now;
    this.#expiredAt = cloud.now;
    this.auditor = new Auditor(cloud, workload, settlesWithin(plan));
    const { auditor } = this;
    const watcher = {
      received: (consumer: string, messages: readonly Message[]) => this.#received(consumer, messages),
      acknowledged: auditor.acknowledged.bind(auditor),
      unstreamed: auditor.unstreamed.bind(auditor),
    };
    this.#sources = new Map(consumers.map((consumer) => [consumer, new QueueSource(cloud, consumer, watcher)]));
    this.#stream = new StreamSource(cloud, watcher);
    cloud.queues.onRedrive = (consumer, message) => auditor.redriven(consumer, message);
    cloud.queues.onExpiry = (consumer, { body }) => auditor.destroyed(consumer, idOf(body));
    cloud.onLost = (url, { body }) => auditor.destroyed(url.slice('queue:'.length), idOf(body));
    cloud.providers.onEntry = (entry) => {
      this.#note(entry.orderId, 'PROVIDER', `${entry.kind} ${entry.reference}`);
      auditor.books.entered(entry);
    };
    cloud.mailer.onMail = (address) => this.#note('', 'MAILER', address);
    for (const [sku, available] of workload.stock) {
      cloud.database.execute({
        operation: 'PutItem',
        input: { TableName: 'inventory', Item: { pk: inventoryKey.stock(sku), available, reserved: 0, version: 1 } },
      });
    }
    this.people = new People(cloud, auditor, workload, (about, who, what) => this.#note(about, who, what));
    this.#disturbances = new Disturbances({
      seed,
      cloud,
      auditor,
      workload,
      people: this.people,
      sources: this.#sources,
      stream: this.#stream,
    });
    if (workload.features.has('erasure')) this.#disturbances.epilogues.push(() => this.people.eraseAll());
    cloud.database.onChange = (changes) => {
      auditor.changed(changes);
      options.onChange?.(changes);
      for (const change of changes) {
        this.#activity++;
        if (change.table === 'orders') this.#disturbances.reached(change);
        if (change.table === 'outbox' && !change.before && change.after) this.#stream.append(change);
      }
    };
    cloud.scheduler.after(minute, () => this.#tick(minute, 0));
  }

  async finish(): Promise<void> {
    try {
      await runSchedule(this.#cloud, () => {
        if (this.#steps++ > mostSteps) this.auditor.violations.push(`the run takes more than ${mostSteps} steps`);
        return !this.#finished && this.auditor.violations.length === 0;
      });
    } catch (error) {
      this.auditor.violations.push(`the simulation failed: ${(error as Error).stack}`);
    }
    if (this.auditor.violations.length === 0) this.auditor.audit(this.people);
  }

  /** How long anything was disturbed. */
  get disturbedMs(): number {
    return this.#disturbances.until - this.#began;
  }

  result(ends: Ends = { cancelled: 0, timedOut: 0, same: 0 }): RunResult {
    const { faults } = this.#cloud;
    for (const [kind, count] of faults.counts) addTo(this.#coverage.faults, kind, count);
    return {
      seed: this.#seed,
      violations: this.auditor.violations,
      faults: faults.total,
      orders: this.#workload.orders.length,
      ...ends,
      coverage: this.#coverage,
      digest: this.#digest,
    };
  }

  // --- the schedule ---

  #tick(intervalMs: number, activityBefore: number): void {
    const { scheduler, faults, now, random } = this.#cloud;
    if (now - this.#began > patienceMs)
      return void this.auditor.violations.push(`not quiet after ${patienceMs / day} days: ${this.#unrest()}`);
    if (this.#cloud.busy === 0 && this.#unrest() === undefined) {
      const spared = faults.plan.kinds.size > 0 && faults.total < fewestFaults;
      const epilogue = this.#disturbances.epilogues.shift() ?? (spared ? () => this.#disturbances.repeatOld() : undefined);
      if (!epilogue) {
        this.#finished = true;
        return;
      }
      // What returns does so after days or weeks, within the time that SQS keeps a dead letter.
      scheduler.after(random.int(1, 12) * day, () => {
        this.#expire();
        epilogue();
        scheduler.after(minute, () => this.#tick(minute, this.#activity));
      });
      return;
    }
    if (now - this.#expiredAt > expiresEveryMs) this.#expire();
    for (const name of ['order-sweep', 'outbox-relay'] as const) {
      const times = faults.forDelivery('overlap', now, name) ? 2 : 1;
      for (let i = 0; i < times; i++) {
        scheduler.after(random.int(0, 2000), () => this.#cloud.invoke(name, {}, () => undefined));
      }
    }
    // A schedule may be late, and while nothing else happens a late one loses nothing: days of waiting cost few steps.
    const quiet = this.#activity === activityBefore && this.#stream.empty;
    const longest = this.#plan.profile === 'weeks' ? longestTickOfWeeksMs : longestTickMs;
    const next = quiet || now < this.#stream.downUntil ? Math.min(longest, intervalMs * 2) : minute;
    const activity = this.#activity;
    scheduler.after(next, () => this.#tick(next, activity));
  }

  /** Time to live: rows that are old enough go, whoever still lacks them. */
  #expire(): void {
    this.#expiredAt = this.#cloud.now;
    this.#cloud.database.expire();
  }

  /** Why the run is not over yet. */
  #unrest(): string | undefined {
    const { database, now } = this.#cloud;
    if (this.people.waiting > 0) return `${this.people.waiting} orders are not placed`;
    if (this.people.planned > 0) return 'requests are still to come';
    if (now < this.#disturbances.until) return 'faults go on';
    for (const [consumer, source] of this.#sources) if (!source.empty) return `${consumer} has messages`;
    if (!this.#stream.empty) return 'the stream has records';
    // The items themselves: an index that lags may show none of them.
    if (database.items('orders').some(({ openShard }) => openShard !== undefined)) return 'orders are open';
    for (const { attention } of database.items('outbox')) {
      if (typeof attention === 'string' && !attention.startsWith('dead#')) return `rows are ${attention}`;
    }
    return undefined;
  }

  // --- what is seen ---

  #received(consumer: string, messages: readonly Message[]): void {
    this.auditor.received(consumer, messages);
    this.#disturbances.received(consumer, messages);
    for (const { body } of messages) {
      if (this.auditor.poison.has(body)) continue;
      if (consumer !== 'order-saga') continue;
      const { aggregateId, type } = envelopeOf(body);
      this.#hold(aggregateId, type);
    }
  }

  #hold(orderId: string, input: string): void {
    const inputs = this.#inHand.get(orderId);
    if (inputs) inputs.add(input);
    else this.#inHand.set(orderId, new Set([input]));
  }

  line(environment: Environment, level: 'info' | 'warn' | 'error', message: string, fields: Readonly<Record<string, unknown>>): void {
    this.auditor.line(environment, level, message, fields);
    this.#digest = (Math.imul(this.#digest, 31) + this.#cloud.now + message.length) | 0;
    if (this.#trace) {
      const shown = Object.entries(fields).filter(
        ([name, value]) => value !== undefined && !['correlationId', 'aggregateId', 'consumer'].includes(name),
      );
      this.#note(
        String(fields['aggregateId'] ?? ''),
        environment.id,
        `${message} ${shown.map(([name, value]) => `${name}=${typeof value === 'object' ? JSON.stringify(value) : String(value)}`).join(' ')}`,
      );
    }
  }

  call(environment: Environment, site: Site, input: unknown): void {
    this.auditor.called(environment, site, input);
    this.#cameTo(environment, site);
    this.#digest = (Math.imul(this.#digest, 31) + this.#cloud.now) | 0;
    if (site.service === 'dynamodb' && site.operation === 'GetItem' && site.target === 'orders') this.#cover(environment, input as Input);
    if (site.service === 'sqs' && site.operation === 'SendMessageBatch') {
      const source = this.#sources.get(site.target.slice('queue:'.length));
      this.#cloud.scheduler.after(1, () => source?.wake());
    }
  }

  #cameTo(environment: Environment, site: Site): void {
    const { name } = environment;
    let targets = this.#seen.get(name)?.get(site.operation);
    if (!targets) {
      targets = new Set();
      const operations = this.#seen.get(name) ?? new Map<string, Set<string>>();
      this.#seen.set(name, operations.set(site.operation, targets));
    }
    if (targets.has(site.target)) return;
    targets.add(site.target);
    this.#coverage.sites[siteKey(environment, site)] = 1;
  }

  /** The saga reads an order: whatever it holds for it meets the step that the order is at. */
  #cover({ name }: Environment, input: Input): void {
    const orderId = input.Key!['orderId'] as string;
    const step = this.#cloud.database.find('orders', { orderId })?.['step'] as OrderStep | undefined;
    if (!step) return;
    if (name === 'order-sweep') addTo(this.#coverage.pairs, pairKey(step, 'Tick'));
    if (name === 'order-cancel') addTo(this.#coverage.pairs, pairKey(step, 'Cancel'));
    if (name !== 'order-saga') return;
    for (const type of this.#inHand.get(orderId) ?? []) addTo(this.#coverage.pairs, pairKey(step, type));
    this.#inHand.delete(orderId);
  }

  sent(url: string, bodies: readonly string[]): void {
    this.auditor.sent(url, bodies);
  }

  refused(bodies: readonly string[]): void {
    this.auditor.refused(bodies);
  }

  troubled({ name }: Environment): void {
    if (name === 'notification') this.auditor.outside.mailTrouble();
  }

  crash(environment: Environment, site: Site, when: 'before' | 'after'): void {
    addTo(this.#coverage.crashes, `${siteKey(environment, site)} ${when}`);
  }

  #note(about: string, who: string, what: string): void {
    this.#trace?.(`${((this.#cloud.now - this.#began) / 1000).toFixed(3).padStart(12)} s  ${who.padEnd(20)} ${what}`, about);
  }
}
