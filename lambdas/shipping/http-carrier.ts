import type { EffectPort } from '@outbox-saga/kit/effects/effect-port';
import { httpProvider } from '@outbox-saga/kit/effects/http-provider';
import type { ProviderOptions } from '@outbox-saga/kit/effects/provider';
import type { Consignment } from './shipment.ts';

/** A carrier behind HTTP; docs/providers.md is its contract. */
export function httpCarrier(options: ProviderOptions): EffectPort<Consignment> {
  return httpProvider(options, {
    name: 'carrier',
    words: { done: 'arranged', refused: 'rejected', undone: 'cancelled' },
    reference: 'trackingId',
    perform: (consignment) => ({ path: '/shipments', body: consignment }),
    undo: ({ orderId }, trackingId) => ({ path: `/shipments/${encodeURIComponent(orderId)}/cancel`, body: { trackingId } }),
    find: (orderId) => `/shipments/${encodeURIComponent(orderId)}`,
  });
}
