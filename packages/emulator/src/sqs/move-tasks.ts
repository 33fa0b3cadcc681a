import { randomUUID } from 'node:crypto';
import { AwsError } from '../aws-error.ts';
import type { Directory, Move } from './directory.ts';
import { invalidParameter, invalidValue, missing, noSuchResource } from './errors.ts';
import { integerOf, requiredText, textOf, type Input } from './input.ts';
import type { Queue } from './queue.ts';

type Output = Record<string, unknown>;

interface MoveTask {
  readonly id: string;
  readonly source: Queue;
  readonly destinationArn: string | undefined;
  readonly perSecond: number | undefined;
  readonly startedAt: number;
  readonly toMove: number;
  /** Messages that come later are not of this task: one that fails again would go round for ever. */
  readonly upTo: number;
  moved: number;
  status: 'RUNNING' | 'COMPLETED' | 'CANCELLED' | 'FAILED';
  failure: string | undefined;
}

/** What is moved at once: a few milliseconds of work. */
const slice = 200;
const maxPerSecond = 500;
const kept = 10;
const nonExistent = 'AWS.SimpleQueueService.NonExistentQueue';

/**
 * Moves messages out of dead-letter queues, a slice at a time. Tasks are known to this process only: what they have not moved
 * stays where it is.
 */
export class MoveTasks {
  readonly #directory: Directory;
  /** By the ARN of their source, the newest first. */
  readonly #tasks = new Map<string, MoveTask[]>();

  constructor(directory: Directory) {
    this.#directory = directory;
  }

  start(input: Input): Output {
    const source = this.#source(input);
    const destinationArn = textOf(input, 'DestinationArn');
    const perSecond = integerOf(input, 'MaxNumberOfMessagesPerSecond');
    if (destinationArn !== undefined && !this.#directory.byArn(destinationArn)) throw noSuchResource('DestinationArn');
    if (destinationArn === source.arn) throw invalidParameter('Source queue and destination queue must be different.');
    if (!this.#directory.all.some(({ redrive }) => redrive?.deadLetterTargetArn === source.arn))
      throw invalidParameter('Source queue must be configured as a Dead Letter Queue.');
    if (perSecond !== undefined && (perSecond < 1 || perSecond > maxPerSecond))
      throw invalidValue(perSecond, 'MaxNumberOfMessagesPerSecond', `Must be between 1 and ${maxPerSecond}, if provided.`);
    const tasks = this.#tasks.get(source.arn) ?? [];
    if (tasks[0]?.status === 'RUNNING')
      throw invalidParameter('There is already a task running. Only one active task is allowed for a source queue arn at a given time.');
    this.#directory.settle(source);
    const task: MoveTask = {
      id: randomUUID(),
      source,
      destinationArn,
      perSecond,
      startedAt: this.#directory.now,
      toMove: source.visible,
      upTo: this.#directory.lastOrder,
      moved: 0,
      status: 'RUNNING',
      failure: undefined,
    };
    this.#tasks.set(source.arn, [task, ...tasks].slice(0, kept));
    return { TaskHandle: handleOf(task) };
  }

  cancel(input: Input): Output {
    const { taskId, sourceArn } = readHandle(requiredText(input, 'TaskHandle'));
    if (!this.#directory.byArn(sourceArn)) throw noSuchResource('SourceArn');
    const task = this.#tasks.get(sourceArn)?.find(({ id }) => id === taskId);
    if (!task) throw new AwsError('ResourceNotFoundException', 'Task does not exist.');
    if (task.status !== 'RUNNING') throw new AwsError('UnsupportedOperation', 'Only a task that is running can be cancelled.');
    task.status = 'CANCELLED';
    return { ApproximateNumberOfMessagesMoved: task.moved };
  }

  list(input: Input): Output {
    const source = this.#source(input);
    const most = integerOf(input, 'MaxResults') ?? 1;
    if (most < 1 || most > kept) throw invalidValue(most, 'MaxResults', `Must be between 1 and ${kept}, if provided.`);
    const tasks = (this.#tasks.get(source.arn) ?? []).slice(0, most);
    return {
      Results: tasks.map((task) => ({
        ...(task.status === 'RUNNING' ? { TaskHandle: handleOf(task) } : {}),
        Status: task.status,
        SourceArn: source.arn,
        ...(task.destinationArn === undefined ? {} : { DestinationArn: task.destinationArn }),
        ...(task.perSecond === undefined ? {} : { MaxNumberOfMessagesPerSecond: task.perSecond }),
        ApproximateNumberOfMessagesMoved: task.moved,
        ApproximateNumberOfMessagesToMove: task.toMove,
        ...(task.failure === undefined ? {} : { FailureReason: task.failure }),
        StartedTimestamp: task.startedAt,
      })),
    };
  }

  /** Moves a slice for each task that runs. @returns in how many milliseconds there is more to do; undefined when no task runs */
  advance(): number | undefined {
    let next: number | undefined;
    for (const [task] of this.#tasks.values()) {
      if (task?.status !== 'RUNNING') continue;
      const wait = this.#advance(task);
      if (wait !== undefined) next = Math.min(next ?? Infinity, wait);
    }
    return next;
  }

  #advance(task: MoveTask): number | undefined {
    const { source, destinationArn, perSecond, startedAt, upTo } = task;
    this.#directory.settle(source);
    const elapsed = this.#directory.now - startedAt;
    const due = perSecond === undefined ? slice : Math.floor((elapsed * perSecond) / 1000) - task.moved;
    const moves: Move[] = [];
    source.take((message) => {
      if (message.order > upTo || moves.length >= Math.min(due, slice)) return false;
      const arn = destinationArn ?? message.sourceArn;
      const to = arn === undefined ? undefined : this.#directory.byArn(arn);
      if (!to) {
        fail(task, arn === undefined ? 'CouldNotDetermineMessageSource' : nonExistent);
        return false;
      }
      const { body, attributes, traceHeader, groupId } = message;
      moves.push({ message, to, as: this.#directory.newMessage({ body, attributes, traceHeader, groupId }, 0) });
      return true;
    });
    try {
      this.#directory.received(source, [], moves);
    } catch (error) {
      const { now } = this.#directory;
      for (const { message } of moves) source.hide(message, now);
      return fail(task, (error as Error).message);
    }
    task.moved += moves.length;
    if (task.status === 'RUNNING' && !(source.firstVisible && source.firstVisible.order <= upTo)) task.status = 'COMPLETED';
    if (task.status !== 'RUNNING') return undefined;
    return perSecond === undefined ? 0 : Math.max(0, Math.ceil(((task.moved + 1) * 1000) / perSecond) - elapsed);
  }

  #source(input: Input): Queue {
    const arn = textOf(input, 'SourceArn');
    if (!arn) throw missing('SourceArn');
    const source = this.#directory.byArn(arn);
    if (!source) throw noSuchResource('SourceArn');
    return source;
  }
}

function fail(task: MoveTask, why: string): undefined {
  task.status = 'FAILED';
  task.failure = why;
}

const handleOf = ({ id, source }: MoveTask): string =>
  Buffer.from(JSON.stringify({ taskId: id, sourceArn: source.arn })).toString('base64');

function readHandle(handle: string): { taskId: string; sourceArn: string } {
  try {
    const { taskId, sourceArn } = JSON.parse(Buffer.from(handle, 'base64').toString('utf8')) as Record<string, unknown>;
    if (typeof taskId === 'string' && typeof sourceArn === 'string') return { taskId, sourceArn };
  } catch {
    // Not one of ours: said below.
  }
  throw invalidParameter('Value for parameter TaskHandle is invalid.');
}
