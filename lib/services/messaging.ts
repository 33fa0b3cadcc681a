import type { Outbox } from '@outbox-saga/constructs/outbox';
import type { OwnedTable } from '@outbox-saga/constructs/owned-table';
import type { ServiceFunction } from '@outbox-saga/constructs/service-function';
import type { OrderServices } from './order-services.ts';

/** What services talk to each other through: the outbox, with its publisher and relay, and the records of what was handled. */
export class Messaging {
  readonly outbox: Outbox;
  readonly idempotency: OwnedTable;
  readonly #services: OrderServices;

  constructor(services: OrderServices) {
    this.#services = services;
    // Orders are watched by their sweep: pending rows need no index.
    this.outbox = services.outbox();
    this.idempotency = services.table('idempotency');
  }

  /** The variables of a consumer that commits messages: saga and participants. */
  get participantEnvironment() {
    return { IDEMPOTENCY_TABLE: this.idempotency.tableName, ...this.outbox.senderEnvironment };
  }

  grantParticipant(target: ServiceFunction): void {
    this.outbox.grantCommit(target);
    // Powertools reads a record only as the item that refused its write.
    target.allow(['dynamodb:PutItem', 'dynamodb:UpdateItem', 'dynamodb:DeleteItem'], this.idempotency.tableArn);
  }

  /** The variables of a consumer that only hears. */
  get listenerEnvironment() {
    return { IDEMPOTENCY_TABLE: this.idempotency.tableName };
  }

  grantListener(target: ServiceFunction): void {
    // Where it counts its failures.
    target.allow(['dynamodb:UpdateItem'], this.idempotency.tableArn);
  }

  /** Connects all consumers to the outbox. The relay counts open orders, too: a gauge once a minute. */
  publish(orders: OwnedTable): void {
    this.#services.publish(this.outbox, {
      publisher: this.#services.part('outbox-publisher', {}),
      relay: this.#services.part('outbox-relay', { ORDERS_TABLE: orders.tableName }),
    });
    this.outbox.relay.allow(['dynamodb:Query'], orders.indexArn('open'));
  }
}
