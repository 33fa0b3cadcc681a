import type { Environment } from '../contract/functions.ts';
import { topology } from '../contract/routes.ts';
import { durations } from '../contract/stages.ts';
import { messageMaker } from '@outbox-saga/kit/messages/message';
import { secretReader } from '@outbox-saga/kit/effects/provider';
import { sandboxLedger } from '../providers/sandbox-ledger.ts';
import { commitsTo, consumeFrom, type QueueConnections } from '@outbox-saga/kit/function/wiring';
import type { Carrier } from './carrier.ts';
import { httpCarrier } from './http-carrier.ts';
import { arrangeShipment, callOffShipment, shipmentEffect, shipmentStates, type Shipments } from './shipment.ts';
import { sandboxCarrier } from './sandbox-carrier.ts';

export function createHandler(environment: Environment<'shipping'>, connections: QueueConnections) {
  const stage = durations[environment.STAGE];
  const { world, database } = connections;

  function chooseCarrier(): Carrier {
    if (environment.PROVIDER_URL !== undefined) {
      const secret = secretReader(environment.PROVIDER_SECRET_ID, () => world.now());
      // Half of the function's time: the outcome still has to be committed, and a retry costs less than a timeout.
      return httpCarrier({ url: environment.PROVIDER_URL, secret, timeoutMs: stage.consumerTimeoutSeconds * 500 });
    }
    if (environment.SANDBOX_LEDGER_TABLE !== undefined) {
      return sandboxCarrier(sandboxLedger(database, environment.SANDBOX_LEDGER_TABLE), world);
    }
    throw new Error('environment of function shipping: neither PROVIDER_URL nor SANDBOX_LEDGER_TABLE is set');
  }

  const shipments: Shipments = {
    effects: {
      ...commitsTo(environment, stage, connections),
      table: environment.SHIPMENTS_TABLE,
      keyName: 'orderId',
      names: shipmentStates,
      port: shipmentEffect(chooseCarrier()),
      providerKeySeconds: stage.providerKeySeconds,
      callSeconds: stage.consumerTimeoutSeconds,
    },
    makeMessage: messageMaker(topology, world),
  };

  return consumeFrom(environment, connections, {
    consumer: 'shipping',
    topology,
    durations: stage,
    handlers: {
      ShipmentRequested: (message) => arrangeShipment(shipments, message),
      ShipmentCancelRequested: (message) => callOffShipment(shipments, message),
    },
  });
}
