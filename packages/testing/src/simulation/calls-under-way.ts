import type { OutsideRequest } from './application.ts';
import { applies, named, outcomeOf, refusalOf, unavailable, type Site } from './calls.ts';
import type { Cloud, Environment, Observer } from './cloud.ts';
import type { CallFault } from './faults.ts';
import type { OutageMode } from './outages.ts';
import type { Random } from './random.ts';

/** A call that an environment makes. */
interface Outgoing<Name extends string> {
  readonly environment: Environment<Name>;
  readonly site: Site;
  readonly input: unknown;
  /** When the caller gives it up, in milliseconds. */
  readonly patienceMs: number;
}

/** How a call is carried out: as it is, or with the fault or outage that it meets. */
type Perform<Result> = (fault: CallFault | OutageMode | undefined) => Result;

/** A call on its way, and what it meets there. */
interface UnderWay<Name extends string, Result> extends Outgoing<Name> {
  /** Of the invocation that makes it; its environment may be in another one when the call arrives. */
  readonly requestId: string;
  readonly perform: Perform<Result>;
  readonly resolve: (result: Result) => void;
  readonly reject: (error: Error) => void;
  readonly strike: CallFault | undefined;
  /** Whether its caller has given it up by the time that it arrives. */
  readonly late: boolean;
  /** How long its caller still waits when it arrives, in milliseconds. */
  readonly patienceLeftMs: number;
}

interface Surroundings<Name extends string> {
  readonly cloud: Cloud<Name>;
  /** Where the time comes from that a call takes. */
  readonly latency: Random;
  readonly observer: Observer<Name>;
  /** Lets an environment go on. */
  readonly resume: (environment: Environment<Name>, run: () => void) => void;
}

/**
 * Calls to the outside: each takes a while, and may fail, be lost on the way there or back, never be answered, or be the last thing its
 * environment does. What is under way when its caller gives it up still arrives.
 */
export class CallsUnderWay<Name extends string> {
  readonly #of: Surroundings<Name>;

  constructor(of: Surroundings<Name>) {
    this.#of = of;
  }

  make<Result>(outgoing: Outgoing<Name>, perform: Perform<Result>): Promise<Result> {
    const { cloud, latency } = this.#of;
    const { environment, site, patienceMs } = outgoing;
    return new Promise((resolve, reject) => {
      const fault = cloud.faults.forCall(site.service, `${environment.name} ${site.operation} ${site.target}`, cloud.now);
      const strike = fault && applies(fault, site) ? fault : undefined;
      const takesMs = latency.int(1, 25) + (strike === 'slow-call' ? latency.int(1, 30) * 1000 : 0);
      const late = takesMs > patienceMs;
      // What a provider is asked it has by the time that it can have been given up: that much its contract promises.
      const latencyMs = site.service === 'http' ? Math.min(takesMs, patienceMs) : takesMs;
      const { requestId } = environment;
      const call = { ...outgoing, requestId, perform, resolve, reject, strike, late, patienceLeftMs: patienceMs - latencyMs };
      if (late) this.#giveUp(call, patienceMs);
      cloud.scheduler.after(latencyMs, () => {
        if (environment.alive || late) this.#arrive(call);
      });
    });
  }

  #arrive<Result>(call: UnderWay<Name, Result>): void {
    const { cloud, observer, resume } = this.#of;
    const { environment, site, strike, late } = call;
    if (strike) cloud.faults.strike(strike, `${environment.id} ${site.operation} ${site.target}`);
    const down = cloud.outages.among(site.needs);
    if (strike || down) {
      environment.troubles++;
      observer.troubled(environment);
    }
    if (strike === 'crash-before') return this.#crash(call, 'before');
    if (strike === 'hang-before' || down === 'hangs') return this.#giveUp(call, call.patienceLeftMs);
    const answer = this.#answerTo(call, down);
    if (!answer) return;
    if (strike === 'crash-after') return this.#crash(call, 'after');
    if (!late) resume(environment, answer);
  }

  /** @returns what its caller gets; undefined when that is nothing, or comes later */
  #answerTo<Result>(call: UnderWay<Name, Result>, down: OutageMode | undefined): (() => void) | undefined {
    const { cloud } = this.#of;
    const { site, input, strike, resolve, reject } = call;
    try {
      const refusal = strike && refusalOf(strike, input, cloud.random);
      if (refusal) throw refusal;
      if (down && !(down === 'refuses' && site.operation === 'SendMessageBatch')) throw unavailable(site);
      if (strike === 'provider-pending') this.#delay(input as OutsideRequest);
      const result = this.#carryOut(call, down ?? strike);
      if (strike === 'hang-after') {
        this.#giveUp(call, call.patienceLeftMs);
        return undefined;
      }
      if (strike === 'sdk-retry') {
        this.#repeat(call);
        return undefined;
      }
      if (strike === 'in-progress') throw named('TransactionInProgressException', 'a fault');
      return strike?.endsWith('-answer-lost') ? () => reject(named('TimeoutError', 'the answer was lost')) : () => resolve(result);
    } catch (error) {
      return () => reject(error as Error);
    }
  }

  #carryOut<Result>(
    { environment, requestId, site, input, perform }: UnderWay<Name, Result>,
    how: CallFault | OutageMode | undefined,
  ): Result {
    const { cloud, observer } = this.#of;
    observer.call(environment, site, input);
    cloud.caller = { name: environment.name, requestId };
    try {
      return perform(how);
    } finally {
      cloud.caller = undefined;
    }
  }

  /** The first answer was lost inside the client, which asks again by itself and tells nobody. */
  #repeat<Result>(call: UnderWay<Name, Result>): void {
    const { cloud, latency, resume } = this.#of;
    const { environment, resolve, reject } = call;
    cloud.scheduler.after(latency.int(10, 300), () => {
      if (!environment.alive) return;
      resume(
        environment,
        outcomeOf(() => this.#carryOut(call, undefined), resolve, reject),
      );
    });
  }

  #giveUp<Result>({ environment, reject }: UnderWay<Name, Result>, afterMs: number): void {
    const { cloud, observer, resume } = this.#of;
    environment.unanswered++;
    environment.troubles++;
    observer.troubled(environment);
    if (afterMs === Infinity) return;
    cloud.scheduler.after(afterMs, () => {
      if (environment.alive) resume(environment, () => reject(named('TimeoutError', 'no answer')));
    });
  }

  #crash<Result>({ environment, site }: UnderWay<Name, Result>, when: 'before' | 'after'): void {
    this.#of.observer.crash(environment, site, when);
    this.#of.cloud.kill(environment, 'crashed');
  }

  #delay(request: OutsideRequest): void {
    const { cloud } = this.#of;
    const { outside } = cloud.application;
    const what = outside?.pendingOf?.(request);
    if (what !== undefined) outside!.delay!(what, cloud.now + cloud.random.int(1, 30) * 60_000);
  }
}
