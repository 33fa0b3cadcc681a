import { callAws } from '../kit/aws-call.ts';

/** Sends one e-mail of plain text. */
export type Mailer = (to: string, subject: string, text: string) => Promise<void>;

/** @param sender an address that SES has verified */
export function sesMailer(sender: string): Mailer {
  return async (to, subject, text) => {
    await callAws({
      service: 'ses',
      host: 'email',
      path: '/v2/email/outbound-emails',
      headers: { 'content-type': 'application/json' },
      body: {
        FromEmailAddress: sender,
        Destination: { ToAddresses: [to] },
        Content: { Simple: { Subject: { Data: subject }, Body: { Text: { Data: text } } } },
      },
    });
  };
}
