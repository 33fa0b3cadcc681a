import { expect, it } from 'vitest';
import { isSigned } from '@outbox-saga/local/signature';
import { signWith } from '../../support/client.ts';

const secretAccessKey = 'only the operator has it';
const operator = { accessKeyId: 'LOCALOPERATOR', secretAccessKey };

/** Whether a signature that was made for one target holds for another. */
async function holds(target: string, sent: string, credentials: Parameters<typeof signWith>[0] = operator): Promise<boolean> {
  const headers = await signWith(credentials)({
    method: 'GET',
    url: new URL(`http://localhost:3000${target}`),
    headers: {},
    body: undefined,
  });
  const lower = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
  return isSigned({ method: 'GET', url: sent, headers: lower }, Buffer.of(), 'execute-api', secretAccessKey);
}

it.each(['/admin/stock/x', '/', '/orders?customerId=c1&limit=5', '/admin/stock/a%20b', '/orders?customerId=a%7Cb'])(
  'a signature holds for the target %s that it was made for',
  async (target) => {
    expect(await holds(target, target)).toBe(true);
  },
);

it.each([
  ['/admin/stock/x', '//admin/stock/x'],
  ['/admin/stock/x', '/admin//stock/x'],
  ['/admin/stock/x', '/admin/./stock/x'],
  ['/admin/stock/x', '/orders/../admin/stock/x'],
  ['/admin/stock/x', '/admin/stock/x/..'],
  ['/admin/stock/x', '/admin/stock/x/'],
  ['/admin/stock/x', '/admin/stock/%78'],
  ['/admin/stock/x', '/admin/stock/x?y'],
  ['/admin/stock/a%20b', '/admin/stock/a b'],
  ['/orders', '*'],
])('a signature for %s does not hold for %s', async (target, sent) => {
  expect(await holds(target, sent)).toBe(false);
});

it('temporary credentials are not taken, also where their token is signed', async () => {
  expect(await holds('/orders', '/orders', { ...operator, sessionToken: 'token' })).toBe(false);
});
