import type { EffectPort } from '@outbox-saga/kit/effects/effect-port';
import { httpProvider } from '@outbox-saga/kit/effects/http-provider';
import type { ProviderOptions } from '@outbox-saga/kit/effects/provider';
import type { Charge } from './payment.ts';

/** A payment gateway behind HTTP; docs/providers.md is its contract. */
export function httpGateway(options: ProviderOptions): EffectPort<Charge> {
  return httpProvider(options, {
    name: 'gateway',
    words: { done: 'captured', refused: 'declined', undone: 'refunded' },
    reference: 'reference',
    perform: (charge) => ({ path: '/captures', body: charge }),
    undo: ({ orderId, amount, currency }, reference) => ({ path: '/refunds', body: { orderId, reference, amount, currency } }),
    find: (orderId) => `/captures/${encodeURIComponent(orderId)}`,
  });
}
