import type { Environment } from '../contract/functions.ts';
import { topology } from '../contract/routes.ts';
import { durations } from '../contract/stages.ts';
import { messageMaker } from '@outbox-saga/kit/messages/message';
import { secretReader } from '@outbox-saga/kit/effects/provider';
import { sandboxLedger } from '../providers/sandbox-ledger.ts';
import { commitsTo, consumeFrom, type QueueConnections } from '@outbox-saga/kit/function/wiring';
import type { PaymentGateway } from './gateway.ts';
import { httpGateway } from './http-gateway.ts';
import { capturePayment, paymentEffect, paymentStates, refundPayment, type Payments } from './payment.ts';
import { sandboxGateway } from './sandbox-gateway.ts';

export function createHandler(environment: Environment<'payment'>, connections: QueueConnections) {
  const stage = durations[environment.STAGE];
  const { world, database } = connections;

  function chooseGateway(): PaymentGateway {
    if (environment.PROVIDER_URL !== undefined) {
      const secret = secretReader(environment.PROVIDER_SECRET_ID, () => world.now());
      // Half of the function's time: the outcome still has to be committed, and a retry costs less than a timeout.
      return httpGateway({ url: environment.PROVIDER_URL, secret, timeoutMs: stage.consumerTimeoutSeconds * 500 });
    }
    if (environment.SANDBOX_LEDGER_TABLE !== undefined) {
      return sandboxGateway(sandboxLedger(database, environment.SANDBOX_LEDGER_TABLE), world);
    }
    throw new Error('environment of function payment: neither PROVIDER_URL nor SANDBOX_LEDGER_TABLE is set');
  }

  const payments: Payments = {
    effects: {
      ...commitsTo(environment, stage, connections),
      table: environment.PAYMENTS_TABLE,
      keyName: 'orderId',
      names: paymentStates,
      port: paymentEffect(chooseGateway()),
      providerKeySeconds: stage.providerKeySeconds,
      callSeconds: stage.consumerTimeoutSeconds,
    },
    makeMessage: messageMaker(topology, world),
  };

  return consumeFrom(environment, connections, {
    consumer: 'payment',
    topology,
    durations: stage,
    handlers: {
      PaymentRequested: (message) => capturePayment(payments, message),
      RefundRequested: (message) => refundPayment(payments, message),
    },
  });
}
