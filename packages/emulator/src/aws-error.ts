/** An error as an AWS service answers it: its code, its message, and what else its body has. */
export class AwsError extends Error {
  override readonly name: string;
  readonly fields: Readonly<Record<string, unknown>>;

  constructor(code: string, message: string, fields: Readonly<Record<string, unknown>> = {}) {
    super(message);
    this.name = code;
    this.fields = fields;
  }
}
