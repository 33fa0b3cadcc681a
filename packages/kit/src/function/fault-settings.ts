/**
 * Faults that can be switched on to see what a system does about them, as data: function → settings. Off unless set; a prod stage refuses
 * to be synthesized with any. Rates are probabilities from 0 to 1.
 */
export interface FaultSettings {
  /** Share of messages, requests or runs that fail before any work is done. */
  readonly failRate?: number;
  /** Milliseconds that each message, request or run waits first. At most 10,000. */
  readonly delayMs?: number;
  /** Share of messages that are handled and committed, and then not acknowledged, as after a crash: they come again. */
  readonly ackLossRate?: number;
  /** Share of calls to DynamoDB that are throttled. */
  readonly throttleRate?: number;
  /** Share of writes that meet another transaction. */
  readonly conflictRate?: number;
  /** Share of the entries of a SendMessageBatch that SQS refuses. */
  readonly partialBatchRate?: number;
  /** Share of batches that are delivered to two environments at once. */
  readonly duplicateRate?: number;
  /** Share of messages that are held back for a second, so that later ones overtake them. */
  readonly reorderRate?: number;
  /** The function's queue or stream is not polled. */
  readonly outage?: boolean;
  /** What lies in the function's queue when this is set is lost, once. */
  readonly wiped?: boolean;
  /** The whole local runtime is killed before the function's n-th call of an operation takes effect: `TransactWriteItems`, `PutItem#2`. */
  readonly dieBefore?: string;
  /** As `dieBefore`, after the effect and before the function hears of it. */
  readonly dieAfter?: string;
}

export type FaultName = keyof FaultSettings;

/** What each setting is, and the variable that carries those that a function injects by itself, wherever it runs. */
const settings: Readonly<Record<FaultName, { readonly kind: 'rate' | 'milliseconds' | 'flag' | 'call'; readonly variable?: string }>> = {
  failRate: { kind: 'rate', variable: 'FAULT_FAIL_RATE' },
  delayMs: { kind: 'milliseconds', variable: 'FAULT_DELAY_MS' },
  ackLossRate: { kind: 'rate', variable: 'FAULT_ACK_LOSS_RATE' },
  throttleRate: { kind: 'rate' },
  conflictRate: { kind: 'rate' },
  partialBatchRate: { kind: 'rate' },
  duplicateRate: { kind: 'rate' },
  reorderRate: { kind: 'rate' },
  outage: { kind: 'flag' },
  wiped: { kind: 'flag' },
  dieBefore: { kind: 'call' },
  dieAfter: { kind: 'call' },
};

export const faultNames = Object.keys(settings) as FaultName[];
/** Setting → environment variable, for the settings that need nothing around the function. */
export const faultVariables = Object.fromEntries(
  Object.entries(settings).flatMap(([name, { variable }]) => (variable === undefined ? [] : [[name, variable]])),
) as Readonly<Partial<Record<FaultName, string>>>;

const mostDelayMs = 10_000;

function check(where: string, name: string, value: unknown): void {
  if (!Object.hasOwn(settings, name)) throw new Error(`${where}: no such fault; known are ${faultNames.join(', ')}`);
  const { kind } = settings[name as FaultName];
  const most = kind === 'rate' ? 1 : mostDelayMs;
  const [fits, what] =
    kind === 'flag'
      ? [typeof value === 'boolean', 'true or false']
      : kind === 'call'
        ? [typeof value === 'string' && /^[A-Z][A-Za-z]+(#[1-9]\d*)?$/.test(value), 'an operation such as PutItem or PutItem#2']
        : [typeof value === 'number' && value >= 0 && value <= most, `a number from 0 to ${most}`];
  if (!fits) throw new Error(`${where}: must be ${what}`);
}

export type Faults = Readonly<Record<string, FaultSettings>>;

/**
 * Reads faults from outside: `{"inventory": {"failRate": 0.3}}`.
 *
 * @param functions names of the functions that there are
 * @throws Error that names the function and setting that is wrong
 */
export function faultsFrom(value: unknown, functions: readonly string[]): Faults {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) throw new Error('faults: must be an object of functions');
  for (const [name, of] of Object.entries(value as Record<string, unknown>)) {
    if (!functions.includes(name)) throw new Error(`faults.${name}: no such function; known are ${functions.join(', ')}`);
    if (of === null || typeof of !== 'object') throw new Error(`faults.${name}: must be an object of settings`);
    for (const [setting, to] of Object.entries(of)) check(`faults.${name}.${setting}`, setting, to);
  }
  return value as Faults;
}

/**
 * Reads faults as the command line has them: `inventory.failRate=0.3`, several separated by commas or given one by one.
 *
 * @throws Error that names the text that is wrong
 */
export function parseFaults(texts: readonly string[], functions: readonly string[]): Faults {
  const faults: Record<string, Record<string, unknown>> = {};
  for (const text of texts.flatMap((several) => several.split(',')).filter((one) => one.trim() !== '')) {
    const [, name, setting, value] = /^\s*([\w-]+)\.(\w+)=(\S+)\s*$/.exec(text) ?? [];
    if (name === undefined || setting === undefined) throw new Error(`fault "${text}": must be <function>.<setting>=<value>`);
    const parsed = value === 'true' ? true : value === 'false' ? false : /^[A-Z]/.test(value!) ? value : Number(value);
    faults[name] = { ...faults[name], [setting]: parsed };
  }
  return faultsFrom(faults, functions);
}

/** The environment variables of the faults that a function injects by itself; empty text where one is not set. */
export function variablesOf(faults: FaultSettings = {}): Record<string, string> {
  return Object.fromEntries(Object.entries(faultVariables).map(([name, variable]) => [variable, String(faults[name as FaultName] ?? '')]));
}
