import type { FailureCode } from '../contract/order.ts';
import type { MessagesTo } from '../contract/routes.ts';

/** What tells that an order is settled. */
export type Settled = MessagesTo<'notification'>;

/** Why an order failed, in words for its customer. The detail on the order is for the shop: it may name steps, numbers and providers. */
const failureTexts: Readonly<Record<FailureCode, string>> = {
  OUT_OF_STOCK: 'some of what you ordered is out of stock',
  PAYMENT_DECLINED: 'your payment was declined',
  UNDELIVERABLE: 'we cannot deliver to the address that you gave',
  TIMED_OUT: 'we could not complete it in time',
};

/** What the customer is told about a settled order: plain text. */
export function notificationOf(message: Settled): { readonly subject: string; readonly text: string } {
  const id = message.aggregateId;
  switch (message.type) {
    case 'OrderConfirmed':
      return {
        subject: `Your order ${id} is confirmed`,
        text: `Thank you. We took ${amountText(message.data)}, and your parcel is on its way.`,
      };
    case 'OrderFailed':
      return {
        subject: `Your order ${id} could not be completed`,
        text: `We are sorry: ${failureTexts[message.data.code]}. You have not been charged; anything that we took is refunded.`,
      };
    case 'OrderCancelled':
      return { subject: `Your order ${id} is cancelled`, text: 'As you asked, the order is cancelled. Anything that we took is refunded.' };
  }
}

const formats = new Map<string, Intl.NumberFormat>();

/** Making one takes much longer than writing an amount with it. */
function formatOf(currency: string): Intl.NumberFormat {
  let format = formats.get(currency);
  if (!format) formats.set(currency, (format = new Intl.NumberFormat('en', { style: 'currency', currency })));
  return format;
}

/**
 * An amount as people write it: 1234 of EUR is €12.34, 500 of JPY is ¥500. How many digits a currency has, Intl knows; of three letters that
 * are no currency it takes two, as most have.
 */
export function amountText({ amount, currency }: { readonly amount: number; readonly currency: string }): string {
  const format = formatOf(currency);
  const digits = format.resolvedOptions().maximumFractionDigits ?? 2;
  // As text, not as a fraction: no amount is rounded.
  return format.format(`${amount}E-${digits}` as Intl.StringNumericLiteral);
}
