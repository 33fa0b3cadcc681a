import type { Message } from '../contract/messages.ts';

export type Settled = Message<'OrderConfirmed' | 'OrderFailed' | 'OrderCancelled'>;

/** What the customer is told about a settled order: plain text. */
export function notificationOf(message: Settled): { readonly subject: string; readonly text: string } {
  const id = message.aggregateId;
  switch (message.type) {
    case 'OrderConfirmed':
      return {
        subject: `Your order ${id} is confirmed`,
        text: `Thank you. We took ${message.data.amount} ${message.data.currency} (minor units) and your parcel is on its way.`,
      };
    case 'OrderFailed':
      return {
        subject: `Your order ${id} could not be completed`,
        text: `We are sorry: ${message.data.detail || message.data.code}. You have not been charged; anything we took is refunded.`,
      };
    case 'OrderCancelled':
      return { subject: `Your order ${id} is cancelled`, text: 'As you asked, the order is cancelled. Anything we took is refunded.' };
  }
}
