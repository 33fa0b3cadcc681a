import { ArnFormat, Stack } from 'aws-cdk-lib';
import type { OwnedTable } from '@outbox-saga/constructs/owned-table';
import type { ServiceFunction } from '@outbox-saga/constructs/service-function';

/** A real payment gateway or carrier. */
export interface ProviderConfig {
  /** Base URL (docs/providers.md). */
  readonly url: string;
  /** Name or ARN of the Secrets Manager secret with its bearer token. */
  readonly secretId?: string | undefined;
  /** ARN of the customer's own KMS key that the secret is under; without it the secret is under AWS's. */
  readonly secretKeyArn?: string | undefined;
}

/** Whom a service asks: a real provider, or the sandbox, which keeps what it did in its ledger. */
export type Provider = ProviderConfig | { readonly sandboxLedger: OwnedTable };

/** The variables of a function that asks a provider. */
export function providerEnvironment(provider: Provider) {
  const real = 'url' in provider ? provider : undefined;
  return {
    PROVIDER_URL: real?.url ?? '',
    PROVIDER_SECRET_ID: real?.secretId ?? '',
    SANDBOX_LEDGER_TABLE: 'url' in provider ? '' : provider.sandboxLedger.tableName,
  };
}

/** What a function needs to ask a provider: the secret with its token, or the sandbox's ledger. */
export function grantProvider(target: ServiceFunction, provider: Provider): void {
  if (!('url' in provider)) {
    target.allow(['dynamodb:GetItem', 'dynamodb:PutItem'], provider.sandboxLedger.tableArn);
    return;
  }
  const { secretId, secretKeyArn } = provider;
  if (secretId === undefined) return;
  const stack = Stack.of(target);
  const arn = secretId.startsWith('arn:')
    ? secretId
    : // Secrets Manager appends six characters to the name.
      stack.formatArn({
        service: 'secretsmanager',
        resource: 'secret',
        resourceName: `${secretId}-??????`,
        arnFormat: ArnFormat.COLON_RESOURCE_NAME,
      });
  target.allow(['secretsmanager:GetSecretValue'], arn);
  if (secretKeyArn === undefined) return;
  const viaSecretsManager = { StringEquals: { 'kms:ViaService': `secretsmanager.${stack.region}.amazonaws.com` } };
  target.allowWhere(viaSecretsManager, ['kms:Decrypt'], secretKeyArn);
}
