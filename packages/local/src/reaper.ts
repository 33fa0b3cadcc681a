/**
 * Outlives the runtime by a moment. It is told the id of every child ("+123", "-123"); when its input ends,
 * because the runtime ended, however it ended, it kills those that are left.
 */
import { createInterface } from 'node:readline';

const children = new Set<number>();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);

for await (const line of createInterface({ input: process.stdin })) {
  const pid = Number(line.slice(1));
  if (line.startsWith('+')) children.add(pid);
  else children.delete(pid);
}
for (const pid of children) {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // Already gone.
  }
}
