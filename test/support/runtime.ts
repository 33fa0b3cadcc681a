import { temporaryFolder } from '@outbox-saga/testing/temporary-folder';
import type { LocalOptions } from '@outbox-saga/local/options';
import { startCommand } from '../../lib/project.ts';
import { spawnRuntime as spawnIn, type SpawnedRuntime, type SpawnOptions, type StartedRuntime } from '@outbox-saga/local/spawn';

export type { StartedRuntime };

export interface RunOptions extends Partial<SpawnOptions> {
  /** What functions run in. Default: the runtime's own. */
  readonly isolation?: LocalOptions['isolation'];
}

/** Starts the real command with the durations of the test stage, unless told otherwise. */
export function spawnRuntime({
  dataDir = temporaryFolder(),
  args = ['--stage', 'test'],
  isolation,
  ...rest
}: RunOptions = {}): SpawnedRuntime {
  return spawnIn({ ...startCommand, dataDir, args: isolation === undefined ? args : [...args, '--isolation', isolation], ...rest });
}

export async function startRuntime(options?: RunOptions): Promise<StartedRuntime> {
  return spawnRuntime(options).ready;
}
