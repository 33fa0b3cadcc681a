import { parseArgs, type ParseArgsOptionsConfig } from 'node:util';

/** A mistake in the command line: said in one sentence, with the usage and without a stack trace. */
export class UsageProblem extends Error {
  override readonly name = 'UsageProblem';
}

type Parsed<Options extends ParseArgsOptionsConfig> = ReturnType<typeof parseArgs<{ options: Options; allowPositionals: true }>>;

/**
 * Runs a command: reads its arguments, and only then does anything. `--help` prints the usage. What is unknown or wrong is said, with the
 * usage, and ends with 1; so does whatever `run` throws.
 *
 * @param run is given the options and the words beside them, of which there are at most `words`. @returns the exit code
 */
export async function runCommand<const Options extends ParseArgsOptionsConfig>(
  { usage, options, words = 0 }: { readonly usage: string; readonly options: Options; readonly words?: number },
  run: (values: Parsed<Options>['values'], words: readonly string[]) => Promise<number>,
  args: readonly string[] = process.argv.slice(2),
): Promise<void> {
  try {
    if (args.includes('--help')) {
      process.stdout.write(`${usage}\n`);
      return;
    }
    const { values, positionals } = parsed(options, args);
    if (positionals[words] !== undefined) throw new UsageProblem(`Unexpected argument '${positionals[words]}'`);
    process.exitCode = await run(values, positionals);
  } catch (error) {
    const { message } = error as Error;
    process.stderr.write(error instanceof UsageProblem ? `\n${message}\n\n${usage}\n\n` : `\n${message}\n\n`);
    process.exitCode = 1;
  }
}

function parsed<Options extends ParseArgsOptionsConfig>(options: Options, args: readonly string[]): Parsed<Options> {
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true, strict: true });
  } catch (error) {
    // What follows the first sentence is advice about positional arguments, which is of no use here.
    throw new UsageProblem((error as Error).message.split('. ')[0]);
  }
}

/** @throws UsageProblem when it is none */
export function wholeNumber(option: string, text: string, least = 1): number {
  const number = Number(text);
  if (!/^\d{1,10}$/.test(text) || number < least) throw new UsageProblem(`--${option} ${text}: must be a whole number from ${least} on`);
  return number;
}
