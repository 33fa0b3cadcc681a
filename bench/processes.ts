import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

/** What a process has and has used. */
export interface ProcessUse {
  readonly pid: number;
  readonly parent: number;
  readonly residentBytes: number;
  /** Of all its threads since it began, and on Linux of its children that have ended. */
  readonly cpuMs: number;
}

export interface TreeUse {
  /** Resident memory. Pages that processes share count once for each. */
  readonly residentMb: number;
  readonly cpuMs: number;
}

/** What a process, its children, their children and so on have and have used, whatever their command lines say. */
export function treeUse(pid: number): TreeUse {
  const all = processes();
  const children = Map.groupBy(all, ({ parent }) => parent);
  const tree = all.filter((one) => one.pid === pid);
  // Grows while it is walked.
  for (const one of tree) tree.push(...(children.get(one.pid) ?? []));
  const sum = (pick: (use: ProcessUse) => number): number => tree.reduce((total, one) => total + pick(one), 0);
  return { residentMb: Math.round(sum((one) => one.residentBytes) / 2 ** 20), cpuMs: sum((one) => one.cpuMs) };
}

/** Does something, and looks five times a second how much memory a process and all below it have. */
export async function highestMemoryMb<Result>(pid: number, work: () => Promise<Result>): Promise<{ result: Result; highestMb: number }> {
  let highestMb = 0;
  const look = (): void => void (highestMb = Math.max(highestMb, treeUse(pid).residentMb));
  const timer = setInterval(look, 200);
  try {
    const result = await work();
    look();
    return { result, highestMb };
  } finally {
    clearInterval(timer);
  }
}

/** Linux tells of processes by files, and more than `ps` shows; elsewhere there is `ps`. */
const processes = process.platform === 'linux' ? fromFiles : fromPs;

function fromFiles(): ProcessUse[] {
  const { tickMs, pageBytes } = (units ??= { tickMs: 1000 / configured('CLK_TCK'), pageBytes: configured('PAGESIZE') });
  return readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      return [parseStat(readFileSync(`/proc/${name}/stat`, 'latin1'), tickMs, pageBytes)];
    } catch {
      // It ended between the look at the folder and this one.
      return [];
    }
  });
}

let units: { readonly tickMs: number; readonly pageBytes: number } | undefined;
const configured = (name: string): number => Number(execFileSync('getconf', [name], { encoding: 'utf8' }));

/** `/proc/<pid>/stat`, proc(5): the name is in parentheses and may hold any character. */
export function parseStat(text: string, tickMs: number, pageBytes: number): ProcessUse {
  const end = text.lastIndexOf(')');
  // The third field, the state, comes first.
  const fields = text.slice(end + 2).split(' ');
  const field = (number: number): number => Number(fields[number - 3]);
  const ticks = field(14) + field(15) + field(16) + field(17);
  return { pid: Number.parseInt(text, 10), parent: field(4), residentBytes: field(24) * pageBytes, cpuMs: ticks * tickMs };
}

function fromPs(): ProcessUse[] {
  const text = execFileSync('ps', ['-A', '-o', 'pid=,ppid=,rss=,time='], { encoding: 'utf8' });
  return text
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map(parsePs);
}

/** A line of `ps -o pid=,ppid=,rss=,time=`: kilobytes, and `[[days-]hours:]minutes:seconds`. */
export function parsePs(line: string): ProcessUse {
  const [pid, parent, kilobytes, time = ''] = line.trim().split(/\s+/);
  const [seconds = 0, minutes = 0, hours = 0, days = 0] = time.split(/[-:]/).map(Number).toReversed();
  const cpuMs = Math.round((((days * 24 + hours) * 60 + minutes) * 60 + seconds) * 1000);
  return { pid: Number(pid), parent: Number(parent), residentBytes: Number(kilobytes) * 1024, cpuMs };
}
