import { encodeEnvelope } from '../../lambdas/contract/core/envelope.ts';
import { attentionShards } from '../../lambdas/contract/core/tables.ts';
import { inventoryKey, openShardName, openShards } from '../../lambdas/contract/tables.ts';
import { groupIdOf, orderIdOf, orderSteps, type OrderStep } from '../../lambdas/contract/order.ts';
import { Auditor, idOf, type Ends } from './auditor.ts';
import { Cloud, start, type Environment, type Observer, type Sabotage, type Site } from './cloud.ts';
import { addTo, noCoverage, pairKey, siteKey, type Coverage } from './coverage.ts';
import { consumers, deadLetterUrl, queueUrl } from './environments.ts';
import { Faults, noFaults, planFaults, type FaultPlan, type TimedFault } from './faults.ts';
import { setGlobalWorld } from './globals.ts';
import type { Change, Input } from './memory/database.ts';
import type { Message } from './memory/queues.ts';
import { Random } from './random.ts';
import { QueueSource, StreamSource } from './sources.ts';
import { planWorkload, type PlannedOrder, type Workload } from './workload.ts';

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
const patienceMs = 45 * day;
const mostSteps = 400_000;
const longestTickMs = 30 * minute;
/** A run that chance spared gets old messages once more. */
export const fewestFaults = 5;

/** Runs a workload with the faults of its seed, and audits it against the same workload without faults. */
export async function runSeed(seed: number, options: RunOptions = {}): Promise<RunResult> {
  const workload = planWorkload(seed);
  const faultless = new Run(seed, workload, noFaults, {});
  await faultless.finish();
  if (faultless.auditor.violations.length > 0) return faultless.result();
  const run = new Run(seed, workload, planFaults(seed, options.without), options);
  await run.finish();
  if (run.auditor.violations.length > 0) return run.result();
  const ends = run.auditor.compare(run, faultless.auditor.outcomes(faultless));
  return run.result(ends);
}

class Run implements Observer {
  readonly accepted = new Map<string, string>();
  readonly cancelled = new Set<string>();
  readonly auditor: Auditor;
  readonly #seed: number;
  readonly #workload: Workload;
  readonly #cloud: Cloud;
  readonly #random: Random;
  readonly #coverage = noCoverage();
  readonly #sources: ReadonlyMap<string, QueueSource>;
  readonly #stream: StreamSource;
  readonly #trace: RunOptions['trace'];
  readonly #began: number;
  /** Bodies that were delivered, for their return weeks later. */
  readonly #delivered: { readonly consumer: string; readonly body: string }[] = [];
  readonly #epilogues: (() => void)[] = [];
  /** Order → inputs in hand at the saga, for the coverage of pairs. */
  readonly #inHand = new Map<string, Set<string>>();
  /** `order step` → what is to happen when the order reaches it. */
  readonly #onStep = new Map<string, () => void>();
  #unplaced: number;
  #disturbedUntil: number;
  #digest = 0;
  #activity = 0;
  #steps = 0;
  #finished = false;

  constructor(seed: number, workload: Workload, plan: FaultPlan, options: RunOptions) {
    this.#seed = seed;
    this.#workload = workload;
    this.#trace = options.trace;
    this.#random = new Random(seed, 6);
    const faults = new Faults(seed, plan, start);
    faults.onFault = (kind, where) => this.#note('', 'FAULT', `${kind} ${where}`);
    this.#cloud = new Cloud(seed, faults, this, options.sabotage);
    this.#began = this.#cloud.now;
    this.#disturbedUntil = this.#began + plan.lastsMs;
    this.auditor = new Auditor(this.#cloud, workload);
    const { auditor } = this;
    const watcher = {
      received: (consumer: string, messages: readonly Message[]) => this.#received(consumer, messages),
      acknowledged: auditor.acknowledged.bind(auditor),
      unstreamed: auditor.unstreamed.bind(auditor),
    };
    this.#sources = new Map(consumers.map((consumer) => [consumer, new QueueSource(this.#cloud, consumer, watcher)]));
    this.#stream = new StreamSource(this.#cloud, watcher);
    this.#cloud.queues.onRedrive = (url, message) => auditor.redriven(url.slice('queue:'.length), message);
    this.#cloud.providers.onEntry = (entry) => {
      this.#note(entry.orderId, 'PROVIDER', `${entry.kind} ${entry.reference}`);
      auditor.entered(entry);
    };
    for (const [sku, available] of workload.stock) {
      this.#cloud.database.execute({
        operation: 'PutItem',
        input: { TableName: 'inventory', Item: { pk: inventoryKey.stock(sku), available, reserved: 0, version: 1 } },
      });
    }
    this.#cloud.database.onChange = (changes) => {
      auditor.changed(changes);
      options.onChange?.(changes);
      for (const change of changes) {
        this.#activity++;
        if (change.table === 'orders') this.#reached(change);
        if (change.table === 'outbox' && !change.before && change.after) this.#stream.append(change);
      }
    };
    this.#unplaced = workload.orders.length;
    for (const order of workload.orders) this.#cloud.scheduler.after(order.placedAfterMs, () => this.#place(order));
    for (const kind of plan.kinds) this.#planTimed(kind as TimedFault);
    this.#cloud.scheduler.after(minute, () => this.#tick(minute, 0));
  }

  async finish(): Promise<void> {
    const cloud = this.#cloud;
    setGlobalWorld({ now: () => cloud.apparentNow, fetch: (url, init) => cloud.fetch(url, init) });
    try {
      while (!this.#finished && this.auditor.violations.length === 0) {
        if (!(await cloud.step())) break;
        if (++this.#steps > mostSteps) this.auditor.violations.push(`the run takes more than ${mostSteps} steps`);
      }
    } catch (error) {
      this.auditor.violations.push(`the simulation failed: ${(error as Error).stack}`);
    } finally {
      setGlobalWorld(undefined);
      // The steps left the event loop no turn.
      await new Promise((resolve) => setImmediate(resolve));
    }
    if (this.auditor.violations.length === 0) this.auditor.audit(this);
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

  // --- customers ---

  #place(order: PlannedOrder): void {
    const { faults } = this.#cloud;
    const event = httpEvent('POST /orders', '/orders', {}, { 'idempotency-key': order.name }, JSON.stringify(order.body));
    const orderId = orderIdOf(order.customerId, order.name);
    const send = (again: boolean): void => {
      this.#cloud.invoke('place-order', event, (outcome) => {
        const status = outcome.ok ? (outcome.result as { statusCode: number }).statusCode : 502;
        this.#note(orderId, 'CUSTOMER', `${order.name} placed: ${status}${outcome.ok ? '' : ` (${outcome.error})`}`);
        if (status === 202) {
          if (!this.accepted.has(orderId)) this.#unplaced--;
          this.accepted.set(orderId, order.name);
        } else if (again) this.#cloud.scheduler.after(this.#random.int(500, 5000), () => send(true));
      });
    };
    send(true);
    if (faults.forDelivery('request-repeated', this.#cloud.now, order.name))
      this.#cloud.scheduler.after(this.#random.int(0, 100), () => send(false));
  }

  #cancel(order: PlannedOrder): void {
    const orderId = orderIdOf(order.customerId, order.name);
    const event = httpEvent('POST /orders/{id}/cancel', `/orders/${orderId}/cancel`, { id: orderId }, {}, '');
    this.#cloud.faults.strike('cancel', order.name);
    this.#cloud.invoke('order-cancel', event, (outcome) => {
      const status = outcome.ok ? (outcome.result as { statusCode: number }).statusCode : 502;
      this.#note(orderId, 'CUSTOMER', `${order.name} cancelled: ${status}${outcome.ok ? '' : ` (${outcome.error})`}`);
      if (status === 202) this.cancelled.add(orderId);
    });
  }

  // --- faults that have a time of their own ---

  #planTimed(kind: TimedFault): void {
    const { scheduler, random, faults, database, queues } = this.#cloud;
    const at = (run: () => void, latestMs = 10 * minute): void => scheduler.after(random.int(0, latestMs), run);
    const outage = (): number => {
      const lasts = random.chance(0.03) ? random.int(9, 20) * hour : random.pick([random.int(1, 30) * minute, random.int(1, 5) * hour]);
      const until = this.#cloud.now + lasts;
      this.#disturbedUntil = Math.max(this.#disturbedUntil, until);
      return until;
    };
    const consumer = random.pick(consumers);
    switch (kind) {
      case 'consumer-outage':
        return at(() => {
          faults.strike(kind, consumer);
          this.#sources.get(consumer)!.downUntil = outage();
        });
      case 'provider-outage':
        return at(() => {
          faults.strike(kind, 'providers');
          this.#cloud.providersDownUntil = outage();
        });
      case 'stream-outage':
        return at(() => {
          faults.strike(kind, 'outbox');
          this.#stream.downUntil = random.chance(0.1) ? this.#cloud.now + random.int(25, 40) * hour : outage();
          this.#disturbedUntil = Math.max(this.#disturbedUntil, this.#stream.downUntil);
        });
      case 'queue-wiped':
        return at(() => {
          faults.strike(kind, consumer);
          for (const { body } of queues.purge(queueUrl(consumer))) this.auditor.destroyed(consumer, idOf(body));
        });
      case 'stale-index':
        for (let i = 0; i < 3; i++) {
          at(() => {
            const table = random.pick(['orders', 'outbox']);
            faults.strike(kind, table);
            database.freezeIndexes(table, this.#cloud.now + random.int(1, 300) * 1000);
          }, hour);
        }
        return;
      case 'clock-skew':
        return faults.strike(kind, 'all environments');
      case 'cancel':
        for (const order of random.shuffle(this.#workload.orders).slice(0, random.int(1, 5))) {
          // At a step rather than at a time: the races are then and there.
          for (const step of random.shuffle(orderSteps).slice(0, random.int(1, 2))) {
            this.#onStep.set(`${orderIdOf(order.customerId, order.name)} ${step}`, () =>
              scheduler.after(random.int(0, 120), () => this.#cancel(order)),
            );
          }
        }
        return;
      case 'poison':
        for (let i = 0; i < 3; i++) at(() => this.#poison());
        return;
      case 'late-duplicate':
        for (const order of this.#workload.orders) {
          const orderId = orderIdOf(order.customerId, order.name);
          this.#onStep.set(`${orderId} ${random.pick(orderSteps)}`, () => this.#repeatReply(orderId));
        }
        this.#epilogues.push(() => this.#repeatOld());
        return;
      case 'redrive':
        this.#epilogues.push(() => {
          faults.strike(kind, 'all dead-letter queues');
          for (const to of consumers) {
            for (const { body } of queues.purge(deadLetterUrl(to))) if (!this.auditor.poison.has(body)) this.#deliver(to, body);
          }
        });
    }
  }

  /** An earlier answer comes to the saga once more, at a step that waits for another one. */
  #repeatReply(orderId: string): void {
    const answers = this.#delivered.filter(({ consumer, body }) => consumer === 'order-saga' && body.includes(orderId));
    if (answers.length === 0) return;
    this.#cloud.faults.strike('late-duplicate', orderId);
    for (const { body } of this.#cloud.random.shuffle(answers).slice(0, 2))
      this.#cloud.scheduler.after(1, () => this.#deliver('order-saga', body));
  }

  /** Messages that were handled long ago come once more. */
  #repeatOld(): void {
    for (const { consumer, body } of this.#cloud.random.shuffle(this.#delivered).slice(0, 10)) {
      this.#cloud.faults.strike('late-duplicate', consumer);
      this.#deliver(consumer, body);
    }
  }

  #deliver(consumer: string, MessageBody: string): void {
    this.#cloud.queues.execute({ operation: 'SendMessage', input: { QueueUrl: queueUrl(consumer), MessageBody } });
    this.#sources.get(consumer)!.wake();
  }

  #poison(): void {
    const { random, faults, now } = this.#cloud;
    const consumer = random.pick(consumers);
    const message = {
      messageId: `00000000000000000000000${random.int(100, 999)}`,
      type: 'StockReleased',
      version: 1,
      kind: 'event',
      aggregateId: 'ord_NOBODY',
      groupId: groupIdOf('nobody'),
      correlationId: 'poison',
      causationId: 'poison',
      occurredAt: now,
      data: {},
    } as const;
    const body = random.pick([
      `not JSON ${random.next()}`,
      encodeEnvelope({ ...message, type: 'NeverHeardOf' }),
      encodeEnvelope({ ...message, version: 99 }),
      encodeEnvelope({ ...message, type: 'PaymentCaptured', data: { amount: 'much' } }),
      JSON.stringify({ ...message, messageId: 7 }),
    ]);
    if (this.auditor.poison.has(body)) return;
    faults.strike('poison', consumer);
    this.auditor.poison.set(body, consumer);
    this.#deliver(consumer, body);
  }

  // --- the schedule ---

  #tick(intervalMs: number, activityBefore: number): void {
    const { scheduler, faults, now, random } = this.#cloud;
    if (now - this.#began > patienceMs)
      return void this.auditor.violations.push(`not quiet after ${patienceMs / day} days: ${this.#unrest()}`);
    if (this.#cloud.busy === 0 && this.#unrest() === undefined) {
      const spared = faults.plan.kinds.size > 0 && faults.total < fewestFaults;
      const epilogue = this.#epilogues.shift() ?? (spared ? () => this.#repeatOld() : undefined);
      if (!epilogue) {
        this.#finished = true;
        return;
      }
      // What returns does so after days or weeks, within the time that SQS keeps a dead letter.
      scheduler.after(random.int(1, 12) * day, () => {
        this.#cloud.database.expire(this.#cloud.now / 1000);
        epilogue();
        scheduler.after(minute, () => this.#tick(minute, this.#activity));
      });
      return;
    }
    for (const name of ['order-sweep', 'outbox-relay'] as const) {
      const times = faults.forDelivery('overlap', now, name) ? 2 : 1;
      for (let i = 0; i < times; i++) {
        scheduler.after(random.int(0, 2000), () => this.#cloud.invoke(name, {}, () => undefined));
      }
    }
    // A schedule may be late, and while nothing else happens a late one loses nothing: days of waiting cost few steps.
    const quiet = this.#activity === activityBefore && this.#stream.empty;
    const next = quiet || now < this.#stream.downUntil ? Math.min(longestTickMs, intervalMs * 2) : minute;
    const activity = this.#activity;
    scheduler.after(next, () => this.#tick(next, activity));
  }

  /** Why the run is not over yet. */
  #unrest(): string | undefined {
    const { database, now } = this.#cloud;
    if (this.#unplaced > 0) return `${this.#unplaced} orders are not placed`;
    if (now < this.#disturbedUntil) return 'faults go on';
    for (const [consumer, source] of this.#sources) if (!source.empty) return `${consumer} has messages`;
    if (!this.#stream.empty) return 'the stream has records';
    const count = (table: string, index: string, attribute: string, partition: string): boolean =>
      (database.execute({
        operation: 'Query',
        input: {
          TableName: table,
          IndexName: index,
          KeyConditionExpression: `${attribute} = :partition`,
          ExpressionAttributeValues: { ':partition': partition },
          Select: 'COUNT',
        } as Input,
      })['Count'] as number) > 0;
    for (let shard = 0; shard < openShards; shard++)
      if (count('orders', 'open', 'openShard', openShardName(shard))) return 'orders are open';
    for (let shard = 0; shard < attentionShards; shard++) {
      for (const state of ['due', 'sending'])
        if (count('outbox', 'attention', 'attention', `${state}#${shard}`)) return `rows are ${state}`;
    }
    return undefined;
  }

  // --- what is seen ---

  #reached({ after }: Change): void {
    const key = `${after!['orderId'] as string} ${after!['step'] as string}`;
    this.#onStep.get(key)?.();
    this.#onStep.delete(key);
  }

  #received(consumer: string, messages: readonly Message[]): void {
    this.auditor.received(consumer, messages);
    for (const { body } of messages) {
      if (this.auditor.poison.has(body)) continue;
      if (this.#delivered.length < 1000) this.#delivered.push({ consumer, body });
      if (consumer !== 'order-saga') continue;
      const { aggregateId, type } = JSON.parse(body) as { aggregateId: string; type: string };
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
    this.#coverage.sites[siteKey(environment, site)] = 1;
    this.#digest = (Math.imul(this.#digest, 31) + this.#cloud.now) | 0;
    if (site.service === 'dynamodb' && site.operation === 'GetItem' && site.target === 'orders') this.#cover(environment, input as Input);
    if (site.service === 'sqs' && site.operation === 'SendMessageBatch') {
      const source = this.#sources.get(site.target.slice('queue:'.length));
      this.#cloud.scheduler.after(1, () => source?.wake());
    }
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

  crash(environment: Environment, site: Site, when: 'before' | 'after'): void {
    addTo(this.#coverage.crashes, `${siteKey(environment, site)} ${when}`);
  }

  #note(about: string, who: string, what: string): void {
    this.#trace?.(`${((this.#cloud.now - this.#began) / 1000).toFixed(3).padStart(12)} s  ${who.padEnd(20)} ${what}`, about);
  }
}

function httpEvent(
  routeKey: string,
  rawPath: string,
  pathParameters: Record<string, string>,
  headers: Record<string, string>,
  body: string,
): unknown {
  const method = routeKey.split(' ')[0];
  return {
    version: '2.0',
    routeKey,
    rawPath,
    rawQueryString: '',
    headers: { 'content-type': 'application/json', ...headers },
    pathParameters,
    requestContext: { http: { method, path: rawPath } },
    body,
    isBase64Encoded: false,
  };
}
