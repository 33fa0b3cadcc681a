import { existsSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * A new folder for one test, in memory where the machine has such a place: a test needs no durability beyond a killed process. The test removes it.
 *
 * @param prefix what its name begins with, so that a folder that was left behind names its owner
 */
export function temporaryFolder(prefix = 'outbox-saga-'): string {
  return mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), prefix));
}
