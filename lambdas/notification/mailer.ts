import { PermanentError, TransientError } from '@outbox-saga/kit/errors';
import { callAws } from '@outbox-saga/kit/aws/signed-call';

/**
 * Sends one e-mail of plain text.
 *
 * @throws PermanentError when this address can never be mailed; no error quotes the address
 */
export type Mailer = (to: string, subject: string, text: string) => Promise<void>;

/** @param sender an address that SES has verified */
export function sesMailer(sender: string): Mailer {
  return async (to, subject, text) => {
    try {
      await callAws({
        service: 'ses',
        host: 'email',
        path: '/v2/email/outbound-emails',
        personal: [to],
        headers: { 'content-type': 'application/json' },
        body: {
          FromEmailAddress: sender,
          Destination: { ToAddresses: [to] },
          Content: { Simple: { Subject: utf8(subject), Body: { Text: utf8(text) } } },
        },
      });
    } catch (error) {
      // A refusal that names the sender is not the customer's: somebody has to verify it.
      if (error instanceof PermanentError && error.message.includes(sender)) throw new TransientError('unavailable', error.message);
      throw error;
    }
  };
}

/** Without a character set SES takes text for 7-bit ASCII, and amounts have signs such as €. */
function utf8(text: string): { readonly Data: string; readonly Charset: 'UTF-8' } {
  return { Data: text, Charset: 'UTF-8' };
}
