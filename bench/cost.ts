import type { StepCost } from './ledger.ts';

/** us-east-1, November 2026, US dollars. */
const prices = {
  writeUnits: 0.625 / 1e6,
  readUnits: 0.125 / 1e6,
  sqsRequests: 0.4 / 1e6,
  invocations: 0.2 / 1e6,
  gigabyteSecond: 0.0000133334,
  apiRequest: 1 / 1e6,
  logGigabyte: 0.5,
} as const;

/**
 * Assumptions where AWS alone knows: billed duration of one invocation at 512 MB, and bytes of log an invocation writes
 * (900 of our own lines, 700 of Lambda's START and REPORT).
 */
const assumed = { millisecondsPerInvocation: 60, gigabytes: 0.5, logBytesPerInvocation: 1600, apiRequestsPerOrder: 1 } as const;

export interface CostLine {
  readonly what: string;
  readonly arithmetic: string;
  readonly dollars: number;
}

/** Dollars per million confirmed one-line orders, one record per batch. */
export function costPerMillion(steps: readonly StepCost[]): CostLine[] {
  const total = (pick: (step: StepCost) => number): number => steps.reduce((sum, step) => sum + pick(step), 0);
  const writes = total(({ writeUnits }) => writeUnits);
  const reads = total(({ readUnits }) => readUnits);
  const requests = total(({ sqsRequests }) => sqsRequests);
  const invocations = total(({ invocations: count }) => count);
  const gigabyteSeconds = invocations * (assumed.millisecondsPerInvocation / 1000) * assumed.gigabytes;
  const logGigabytes = (invocations * assumed.logBytesPerInvocation) / 1e9;
  const million = 1e6;
  return [
    { what: 'DynamoDB writes', arithmetic: `${writes.toFixed(1)} units × $0.625 / million`, dollars: writes * prices.writeUnits * million },
    { what: 'DynamoDB reads', arithmetic: `${reads.toFixed(1)} units × $0.125 / million`, dollars: reads * prices.readUnits * million },
    { what: 'SQS', arithmetic: `${requests.toFixed(1)} requests × $0.40 / million`, dollars: requests * prices.sqsRequests * million },
    {
      what: 'Lambda requests',
      arithmetic: `${invocations.toFixed(1)} × $0.20 / million`,
      dollars: invocations * prices.invocations * million,
    },
    {
      what: 'Lambda duration (assumed)',
      arithmetic: `${invocations.toFixed(1)} × ${assumed.millisecondsPerInvocation} ms × ${assumed.gigabytes} GB × $0.0000133334`,
      dollars: gigabyteSeconds * prices.gigabyteSecond * million,
    },
    {
      what: 'HTTP API',
      arithmetic: `${assumed.apiRequestsPerOrder} request × $1.00 / million`,
      dollars: assumed.apiRequestsPerOrder * prices.apiRequest * million,
    },
    {
      what: 'Logs (assumed)',
      arithmetic: `${invocations.toFixed(1)} × ${assumed.logBytesPerInvocation} bytes × $0.50 / GB`,
      dollars: logGigabytes * prices.logGigabyte * million,
    },
  ];
}
