import { parseArgs, type ParseArgsOptionsConfig } from 'node:util';

/** A mistake in the command line: said in one sentence, with the usage and without a stack trace. */
export class UsageProblem extends Error {
  override readonly name = 'UsageProblem';
}

interface Command<Options extends ParseArgsOptionsConfig> {
  readonly usage: string;
  readonly options: Options;
  /** At most so many words beside the options. */
  readonly words?: number;
}
type Parsed<Options extends ParseArgsOptionsConfig> = ReturnType<typeof parseArgs<{ options: Options; allowPositionals: true }>>;

/**
 * Runs a command: reads its arguments, and only then does anything. `--help` prints the usage. What is unknown or wrong is said, with the
 * usage, and ends with 1; so does, without the usage, whatever else `run` throws.
 *
 * @param run is given the options and the words beside them. @returns the exit code
 */
export async function runCommand<const Options extends ParseArgsOptionsConfig>(
  command: Command<Options>,
  run: (values: Parsed<Options>['values'], words: readonly string[]) => Promise<number>,
): Promise<void> {
  const { values, words } = readArguments(command, (values, words) => ({ values, words }));
  try {
    process.exitCode = await run(values, words);
  } catch (error) {
    process.exitCode = complain(error as Error, command.usage);
  }
}

/**
 * Reads a command's arguments, for commands that are not one function. Ends the process for `--help`, and when something is unknown or wrong.
 *
 * @param read makes of them what the command needs @throws UsageProblem for what is wrong
 */
export function readArguments<const Options extends ParseArgsOptionsConfig, Result>(
  { usage, options, words = 0 }: Command<Options>,
  read: (values: Parsed<Options>['values'], words: readonly string[]) => Result,
): Result {
  const args = process.argv.slice(2);
  if (args.includes('--help')) {
    process.stdout.write(`${usage}\n`);
    process.exit(0);
  }
  try {
    const { values, positionals } = parsed(options, args);
    if (positionals[words] !== undefined) throw new UsageProblem(`Unexpected argument '${positionals[words]}'`);
    return read(values, positionals);
  } catch (error) {
    process.exit(complain(error as Error, usage));
  }
}

function parsed<Options extends ParseArgsOptionsConfig>(options: Options, args: readonly string[]): Parsed<Options> {
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true, strict: true });
  } catch (error) {
    // What follows the first sentence is advice about positional arguments, which is of no use here.
    throw new UsageProblem((error as Error).message.split(/\.\s/)[0]);
  }
}

/** @returns the exit code */
function complain(error: Error, usage: string): number {
  process.stderr.write(error instanceof UsageProblem ? `\n${error.message}\n\n${usage}\n\n` : `\n${error.message}\n\n`);
  return 1;
}

/** @throws UsageProblem when it is none */
export function wholeNumber(option: string, text: string, least = 1): number {
  const number = Number(text);
  if (!/^\d{1,10}$/.test(text) || number < least) throw new UsageProblem(`--${option} ${text}: must be a whole number from ${least} on`);
  return number;
}
