import { describe, expect, it } from 'vitest';
import { logicalId, templates, type Resource, type Resources } from '../support/templates.ts';

const { synthesize } = templates();
const keyArn = 'arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab';
const both = { paymentUrl: 'https://pay.example', carrierUrl: 'https://ship.example' };

const statementsOf = (resources: Resources, name: string): Resource['Properties'][] => {
  const fn = Object.values(resources).find(({ Properties }) => Properties?.Environment?.Variables?.POWERTOOLS_SERVICE_NAME === name)!;
  return Object.values(resources)
    .filter(({ Type, Properties }) => Type === 'AWS::IAM::Policy' && logicalId(Properties.Roles) === logicalId(fn.Properties.Role))
    .flatMap(({ Properties }) => Properties.PolicyDocument.Statement);
};

describe('a provider’s secret', () => {
  it('under a key of the customer’s own can be decrypted by its function, through Secrets Manager only', () => {
    const resources = synthesize('dev', {
      ...both,
      paymentSecretId: 'pay/token',
      paymentSecretKeyArn: keyArn,
      carrierSecretId: 'ship/token',
    });
    const decrypting = (name: string) =>
      statementsOf(resources, name).filter(({ Action }) => [Action].flat().some((action) => action.startsWith('kms:')));
    expect(decrypting('payment')).toEqual([
      {
        Effect: 'Allow',
        Action: 'kms:Decrypt',
        Resource: keyArn,
        Condition: {
          StringEquals: { 'kms:ViaService': { 'Fn::Join': ['', ['secretsmanager.', { Ref: 'AWS::Region' }, '.amazonaws.com']] } },
        },
      },
    ]);
    // Without a key of its own a secret is under AWS's, which whoever may read the secret may use.
    expect(decrypting('shipping')).toEqual([]);
    expect(decrypting('inventory')).toEqual([]);
  });

  it.each([
    [{ ...both, paymentSecretKeyArn: keyArn }, /paymentSecretKeyArn: needs --context paymentSecretId=…/],
    [
      { ...both, carrierSecretId: 'x', carrierSecretKeyArn: 'alias/mine' },
      /carrierSecretKeyArn=alias\/mine: must be the ARN of a key: arn:aws:kms:…:key\/…/,
    ],
    [{ paymentSecretId: 'pay/token' }, /paymentSecretId: needs --context paymentUrl=…/],
    [{ carrierSecretKeyArn: keyArn }, /carrierSecretKeyArn: needs --context carrierUrl=…/],
  ])('is refused where it is given by halves: %j', (context, why) => {
    expect(() => synthesize('dev', context)).toThrow(why);
  });
});
