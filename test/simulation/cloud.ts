import type { Outside, OutsideRequest } from '@outbox-saga/testing/simulation/application';
import * as simulation from '@outbox-saga/testing/simulation/cloud';
import type { Sabotage as SabotageOf } from '@outbox-saga/testing/simulation/sabotage';
import type { Faults } from '@outbox-saga/testing/simulation/faults';
import { topology } from '../../lambdas/contract/routes.ts';
import { tables } from '../../lambdas/contract/tables.ts';
import { createFunction, stageDurations, timeoutMs, type SimulatedFunction } from './environments.ts';
import { Mailer } from './mailer.ts';
import { Providers } from './providers.ts';

export type Environment = simulation.Environment<SimulatedFunction>;
export type Observer = simulation.Observer<SimulatedFunction>;
export type Sabotage = SabotageOf<SimulatedFunction>;

/** Payment gateway, carrier and mail service. */
class Providing implements Outside {
  now: () => number = () => simulation.start;
  readonly providers = new Providers(() => this.now());
  readonly mailer = new Mailer();

  siteOf({ method, url }: OutsideRequest): ReturnType<Outside['siteOf']> {
    const mail = isMail(url);
    const target = new URL(url).pathname.replaceAll(/ord_\w+/g, '{id}');
    return { target, needs: [mail ? 'mailer' : 'providers'], mayPend: !mail && method === 'POST' };
  }

  handle({ method, url, headers, body }: OutsideRequest): ReturnType<Outside['handle']> {
    if (!isMail(url)) return this.providers.handle(method, url, headers, body);
    const answer = this.mailer.handle(body);
    return answer.status === 200 ? answer : { ...answer, headers: { 'x-amzn-errortype': 'MessageRejected' } };
  }

  pendingOf({ url, body }: OutsideRequest): string | undefined {
    const [, what] = /\/(captures|shipments)$/.exec(url) ?? [];
    if (what === undefined) return undefined;
    const { orderId } = body as { orderId: string };
    return what === 'captures' ? orderId : `ship ${orderId}`;
  }

  delay(what: string, until: number): void {
    this.providers.delay(what, until);
  }
}

const isMail = (url: string): boolean => new URL(url).host.startsWith('email.');

/** The cloud that the order system is simulated in. */
export class Cloud extends simulation.Cloud<SimulatedFunction> {
  readonly providers: Providers;
  readonly mailer: Mailer;

  constructor(seed: number, faults: Faults, observer: Observer, sabotage?: Sabotage) {
    const outside = new Providing();
    const application = {
      tables,
      outboxTable: 'outbox',
      topology,
      durations: stageDurations,
      publisher: 'outbox-publisher',
      create: createFunction,
      timeoutMs,
      outside,
    } as const;
    super({ application, seed, faults, observer, sabotage });
    outside.now = () => this.now;
    this.providers = outside.providers;
    this.mailer = outside.mailer;
  }
}
