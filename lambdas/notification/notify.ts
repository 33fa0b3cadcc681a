import { describeError, PermanentError } from '@outbox-saga/kit/errors';
import { metrics } from '../contract/metrics.ts';
import type { Telemetry } from '@outbox-saga/kit/telemetry/telemetry';
import type { Mailer } from './mailer.ts';
import { notificationOf, type Settled } from './notification.ts';
import { claimMail, endClaim, recordQuietly, type NotificationStore } from './store.ts';

export interface Notifier {
  readonly store: NotificationStore;
  readonly telemetry: Telemetry;
  /** Absent: nobody is mailed. */
  readonly mailer?: Mailer | undefined;
}

/**
 * Records a settled order once, under the order's id, and mails its customer. The e-mail goes out after the record and is marked on it, so that
 * a crash in between sends it again rather than never: at least once. Until then the record says that it is due, and the order stays open.
 *
 * @returns a word for the log line
 */
export async function notify({ store, telemetry, mailer }: Notifier, message: Settled): Promise<string> {
  const { email } = message.data;
  if (!mailer || email === undefined) return (await recordQuietly(store, message)) ? 'recorded' : 'duplicate';
  const claim = await claimMail(store, message);
  if (!claim) return 'duplicate';
  const { subject, text } = notificationOf(message);
  try {
    await mailer(email, subject, text);
  } catch (error) {
    if (!(error instanceof PermanentError)) {
      await endClaim(store, claim, { email: 'due' });
      throw error;
    }
    // Nobody can mend a customer's address by sending again: it is told once, and neither a dead letter nor an open order remains.
    const refusal = describeError(error);
    await endClaim(store, claim, { email: 'refused', refusal });
    telemetry.warn('e-mail refused', { correlationId: message.correlationId, aggregateId: message.aggregateId, error: refusal });
    telemetry.measure(metrics.mailsRefused, 1);
    return 'e-mail refused';
  }
  await endClaim(store, claim, { email: 'sent' });
  return claim.created ? 'recorded and mailed' : 'mailed';
}
