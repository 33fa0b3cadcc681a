import { refusedDomain } from './workload.ts';

interface Mail {
  readonly Destination: { readonly ToAddresses: readonly string[] };
}

/** SES as far as this system asks for it: one call, which sends what it is asked to send as often as it is asked. */
export class Mailer {
  /** Address → how many mails went there. */
  readonly sent = new Map<string, number>();
  onMail: (address: string) => void = () => undefined;

  handle(body: unknown): { readonly status: number; readonly body: unknown } {
    const address = (body as Mail).Destination.ToAddresses[0]!;
    if (address.endsWith(refusedDomain)) return { status: 400, body: { message: 'Email address is on the suppression list' } };
    this.sent.set(address, (this.sent.get(address) ?? 0) + 1);
    this.onMail(address);
    return { status: 200, body: { MessageId: `mail-${this.sent.size}` } };
  }
}
