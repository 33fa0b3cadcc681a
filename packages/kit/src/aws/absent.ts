/**
 * Stands in, inside the bundles, for parts of libraries that this system never reaches (`standIns` of the constructs lists them with
 * what each would cost at cold start). Reaching one after all is a mistake that must be loud.
 */
function absent(feature: string): never {
  throw new Error(`${feature} is left out of this bundle; see stand-ins of @outbox-saga/constructs`);
}

/** @aws-lambda-powertools/jmespath: the idempotency key is a whole value here, never an expression. */
export const search = (): never => absent('JMESPath');
export class PowertoolsFunctions {}

/** @aws-sdk/endpoint-cache: endpoint discovery is off unless asked for. */
export class EndpointCache {}

/** @smithy/core/event-streams: neither DynamoDB nor SQS streams events over HTTP. */
export const EventStreamSerde = class {
  constructor() {
    absent('event streams');
  }
};
export const eventStreamSerdeProvider = (): never => absent('event streams');
