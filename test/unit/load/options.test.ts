import { parseArgs } from 'node:util';
import { describe, expect, it } from 'vitest';
import { options, readOptions, type LoadOptions } from '../../../load/options.ts';

const read = (args: string, environment: NodeJS.ProcessEnv = {}): LoadOptions =>
  readOptions(parseArgs({ args: args.split(' ').filter((word) => word !== ''), options }).values, environment);

describe('the options of a load', () => {
  it('are 320 orders of 16 clients on this machine, of a SKU of its own', () => {
    expect(read('')).toEqual({
      url: 'http://localhost:3000',
      local: true,
      clients: 16,
      orders: 320,
      seconds: undefined,
      rate: undefined,
      sku: 'load',
      stock: 1_000_000_000,
      wait: true,
      patienceMs: 120_000,
      json: false,
      token: undefined,
      dataDir: '.local',
    });
  });

  it.each([
    ['--seconds 5 --rate 2.5', { orders: undefined, seconds: 5, rate: 2.5 }],
    ['--sku coffee', { sku: 'coffee', stock: undefined }],
    ['--sku coffee --stock 0', { sku: 'coffee', stock: 0 }],
    ['--url http://127.0.0.2:81/', { url: 'http://127.0.0.2:81', local: true }],
    ['--url http://[::1]:81', { local: true }],
    ['--url https://a.example/dev/ --allow-remote --sku tea', { url: 'https://a.example/dev', local: false, stock: undefined }],
    ['--token a.b.c', { token: 'a.b.c' }],
  ])('%s', (args, expected) => {
    expect(read(args)).toMatchObject(expected);
  });

  it('take address and token from the environment, if the command line does not say them', () => {
    expect(read('', { PORT: '3100' }).url).toBe('http://localhost:3100');
    const environment = { PORT: '3100', ORDER_SAGA_URL: 'http://localhost:1', ORDER_SAGA_TOKEN: 'a.b.c' };
    expect(read('', environment)).toMatchObject({ url: 'http://localhost:1', token: 'a.b.c' });
    expect(read('--url http://localhost:2 --token d.e.f', environment)).toMatchObject({ url: 'http://localhost:2', token: 'd.e.f' });
    expect(read('', { ORDER_SAGA_URL: '', ORDER_SAGA_TOKEN: '' })).toMatchObject({ url: 'http://localhost:3000', token: undefined });
  });

  it.each([
    ['--clients 0', /--clients 0: must be a whole number from 1 on/],
    ['--clients 1001', /--clients 1001: must be at most 1000/],
    ['--orders 1.5', /--orders 1.5: must be a whole number/],
    ['--orders 10 --seconds 10', /--orders and --seconds/],
    ['--rate 0', /--rate 0: must be a number above 0/],
    ['--rate 10001', /--rate 10001: .* at most 10000/],
    ['--rate 1e3', /--rate 1e3/],
    ['--patience 0', /--patience 0/],
    ['--stock 5', /--stock needs --sku/],
    ['--url localhost:3000', /--url localhost:3000: must begin with http/],
    ['--url nowhere', /--url nowhere: is not a URL/],
    ['--url http://localhost:3000/?a=b', /without user, query and fragment/],
    ['--url https://a:b@localhost', /without user, query and fragment/],
    ['--url https://a.example --sku tea', /is not on this machine. --allow-remote/],
    ['--url https://localhost.a.example --sku tea', /is not on this machine/],
    ['--url http://127.0.0.1.a.example --sku tea', /is not on this machine/],
    ['--url http://a.example --allow-remote --sku tea', /must begin with https:/],
    ['--url https://a.example --allow-remote', /--sku <sku>: say what is ordered/],
  ])('%s is refused', (args, why) => {
    expect(() => read(args)).toThrow(expect.objectContaining({ name: 'UsageProblem', message: expect.stringMatching(why) as string }));
  });

  it('refuse a remote address of the environment as well, by its name', () => {
    expect(() => read('', { ORDER_SAGA_URL: 'https://a.example' })).toThrow(/^ORDER_SAGA_URL https:\/\/a.example: is not on this machine/);
  });
});
