import { rmSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { queryErrorOf } from '../src/sqs/errors.ts';
import { SqsEngine } from '../src/sqs/engine.ts';
import { SqliteQueueStorage } from '../src/sqs/sqlite-storage.ts';
import { memoryOnly, type QueueStorage } from '../src/sqs/storage.ts';
import { temporaryFolder } from '@outbox-saga/testing/temporary-folder';
import { openDatabase, openEngine } from './support/sqs.ts';

interface Shown {
  readonly MessageId: string;
  readonly ReceiptHandle: string;
  readonly Body: string;
  readonly Attributes: Record<string, string>;
}

const start = Date.UTC(2026, 0, 1);
const hours = 3600;
let seconds: number;
beforeEach(() => {
  seconds = 0;
});
const now = (): number => start + seconds * 1000;

/** An engine, and the short way to ask it. */
function asking(engine: SqsEngine) {
  const arnOf = (name: string): string => `arn:aws:sqs:us-east-1:000000000000:${name}`;
  return {
    engine,
    arnOf,
    create: (name: string, Attributes = {}): string => engine.execute('CreateQueue', { QueueName: name, Attributes })['QueueUrl'] as string,
    redrive: (to: string, maxReceiveCount = 1) => ({ RedrivePolicy: JSON.stringify({ deadLetterTargetArn: arnOf(to), maxReceiveCount }) }),
    send: (QueueUrl: string, MessageBody: string, more = {}) => engine.execute('SendMessage', { QueueUrl, MessageBody, ...more }),
    receive: (QueueUrl: string, more = {}): Shown[] => {
      const input = { QueueUrl, MaxNumberOfMessages: 10, MessageSystemAttributeNames: ['All'], ...more };
      return (engine.execute('ReceiveMessage', input)['Messages'] ?? []) as Shown[];
    },
    counts: (QueueUrl: string): string => {
      const { Attributes } = engine.execute('GetQueueAttributes', { QueueUrl, AttributeNames: ['All'] }) as {
        Attributes: Record<string, string>;
      };
      return ['', 'NotVisible', 'Delayed'].map((which) => Attributes[`ApproximateNumberOfMessages${which}`]).join(' ');
    },
    task: (name: string) => (engine.execute('ListMessageMoveTasks', { SourceArn: arnOf(name) })['Results'] as Record<string, unknown>[])[0],
  };
}
const inMemory = (storage: QueueStorage = memoryOnly) => asking(openEngine(storage, now));

describe('time', () => {
  it('lets a queue forget what is too old, also in flight or delayed', () => {
    const { engine, create, send, receive, counts } = inMemory();
    const url = create('q', { MessageRetentionPeriod: '600' });
    const expired: string[] = [];
    engine.onExpiry = (queue, { body }) => expired.push(`${queue} ${body}`);
    send(url, 'in flight');
    receive(url, { VisibilityTimeout: 5000 });
    send(url, 'delayed', { DelaySeconds: 900 });
    seconds = 1;
    send(url, 'younger');
    seconds = 600;
    expect(counts(url)).toBe('1 1 1');
    seconds = 601;
    expect(receive(url).map(({ Body }) => Body)).toEqual(['younger']);
    expect(expired.sort()).toEqual(['q delayed', 'q in flight']);
    expect(counts(url)).toBe('0 1 0');
  });

  it('of a dead letter goes on from when it was sent', () => {
    const { create, send, receive, redrive, counts } = inMemory();
    const dead = create('dead', { MessageRetentionPeriod: '1000' });
    const url = create('q', redrive('dead'));
    send(url, 'x');
    receive(url, { VisibilityTimeout: 600 });
    seconds = 600;
    expect(receive(url)).toEqual([]);
    expect(counts(dead)).toBe('1 0 0');
    seconds = 1001;
    expect(counts(dead)).toBe('0 0 0');
  });

  it('makes messages visible, the oldest first', () => {
    const { create, send, receive } = inMemory();
    const url = create('q');
    for (const body of ['a', 'b', 'c']) send(url, body);
    expect(receive(url, { MaxNumberOfMessages: 2 }).map(({ Body }) => Body)).toEqual(['a', 'b']);
    seconds = 29;
    expect(receive(url, { VisibilityTimeout: 0 }).map(({ Body }) => Body)).toEqual(['c']);
    seconds = 30;
    expect(receive(url).map(({ Body }) => Body)).toEqual(['a', 'b', 'c']);
  });

  it('in one hand ends after 12 hours, and begins anew with each receive', () => {
    const { engine, create, send, receive } = inMemory();
    const url = create('q');
    send(url, 'x');
    const hide = (VisibilityTimeout: number) => {
      const input = { QueueUrl: url, ReceiptHandle: received!.ReceiptHandle, VisibilityTimeout };
      return engine.execute('ChangeMessageVisibility', input);
    };
    let [received] = receive(url, { VisibilityTimeout: 2 * hours });
    seconds = hours;
    expect(() => hide(11 * hours + 1)).toThrow(/Total VisibilityTimeout for the message is beyond the limit \[43200 seconds\]/);
    hide(11 * hours);
    seconds = 12 * hours - 1;
    expect(receive(url)).toEqual([]);
    seconds = 12 * hours;
    [received] = receive(url);
    hide(12 * hours);
  });

  it('between two purges is a minute', () => {
    const { engine, create } = inMemory();
    const QueueUrl = create('q');
    engine.execute('PurgeQueue', { QueueUrl });
    seconds = 59;
    expect(() => engine.execute('PurgeQueue', { QueueUrl })).toThrow(/allowed every 60 seconds/);
    seconds = 60;
    engine.execute('PurgeQueue', { QueueUrl });
    engine.execute('DeleteQueue', { QueueUrl });
    seconds = 119;
    expect(() => create('q')).toThrow(/wait 60 seconds/);
    seconds = 120;
    expect(create('q')).toBe(QueueUrl);
  });
});

describe('a message move task', () => {
  const withDeadLetters = (count: number) => {
    const asked = inMemory();
    const dead = asked.create('dead');
    const url = asked.create('q', asked.redrive('dead'));
    for (let i = 0; i < count; i++) asked.send(url, String(i));
    for (const _ of [1, 2]) while (asked.receive(url, { VisibilityTimeout: 1 }).length > 0);
    seconds++;
    while (asked.receive(url).length > 0);
    return { ...asked, dead, url };
  };

  it('moves as many messages a second as it may', () => {
    const { engine, arnOf, task, counts, dead, url } = withDeadLetters(25);
    expect(counts(dead)).toBe('25 0 0');
    engine.execute('StartMessageMoveTask', { SourceArn: arnOf('dead'), MaxNumberOfMessagesPerSecond: 10 });
    expect(engine.advanceMoves()).toBe(100);
    expect(counts(url)).toBe('0 0 0');
    seconds += 1;
    expect(engine.advanceMoves()).toBe(100);
    expect(counts(url)).toBe('10 0 0');
    expect(task('dead')).toMatchObject({ Status: 'RUNNING', ApproximateNumberOfMessagesMoved: 10, ApproximateNumberOfMessagesToMove: 25 });
    seconds += 2;
    expect(engine.advanceMoves()).toBeUndefined();
    expect(counts(url)).toBe('25 0 0');
    expect(task('dead')).toMatchObject({ Status: 'COMPLETED', ApproximateNumberOfMessagesMoved: 25 });
  });

  it('works in slices, and leaves what dies again meanwhile', () => {
    const { engine, arnOf, counts, receive, dead, url } = withDeadLetters(500);
    engine.execute('StartMessageMoveTask', { SourceArn: arnOf('dead') });
    expect(engine.advanceMoves()).toBe(0);
    expect(counts(url)).toBe('200 0 0');
    for (const _ of [1, 2]) receive(url, { MaxNumberOfMessages: 1, VisibilityTimeout: 0 });
    while (engine.advanceMoves() !== undefined);
    expect([counts(url), counts(dead)]).toEqual(['499 0 0', '1 0 0']);
  });

  it('fails when its destination is deleted', () => {
    const { engine, arnOf, task, counts, dead, create } = withDeadLetters(300);
    const other = create('other');
    engine.execute('StartMessageMoveTask', { SourceArn: arnOf('dead'), DestinationArn: arnOf('other') });
    engine.advanceMoves();
    engine.execute('DeleteQueue', { QueueUrl: other });
    expect(engine.advanceMoves()).toBeUndefined();
    expect(task('dead')).toMatchObject({ Status: 'FAILED', FailureReason: 'AWS.SimpleQueueService.NonExistentQueue' });
    expect(counts(dead)).toBe('100 0 0');
  });

  it('that is cancelled moves no more', () => {
    const { engine, arnOf, counts, dead } = withDeadLetters(300);
    const { TaskHandle } = engine.execute('StartMessageMoveTask', { SourceArn: arnOf('dead') });
    engine.advanceMoves();
    expect(engine.execute('CancelMessageMoveTask', { TaskHandle })).toEqual({ ApproximateNumberOfMessagesMoved: 200 });
    expect(engine.advanceMoves()).toBeUndefined();
    expect(counts(dead)).toBe('100 0 0');
    expect(() => engine.execute('CancelMessageMoveTask', { TaskHandle })).toThrow();
  });
});

// Shorter than what waits would wait.
describe('a receive', () => {
  it('has a choice of what is visible, and tells what it moves', () => {
    const { engine, create, send, receive, redrive } = inMemory();
    create('dead');
    const url = create('q', redrive('dead'));
    const moved: string[] = [];
    engine.onRedrive = (queue, { body }) => moved.push(`${queue} ${body}`);
    send(url, 'spent');
    receive(url, { VisibilityTimeout: 0 });
    for (const body of ['a', 'b', 'c']) send(url, body);
    const taken = engine.receive(url, 2, (visible) => visible.toReversed(), 5);
    expect(taken.map(({ body }) => body)).toEqual(['c', 'b']);
    expect([moved, engine.nextVisibleAt(url)]).toEqual([[], start]);
    expect(engine.receive(url, 2).map(({ body }) => body)).toEqual(['a']);
    expect([moved, engine.nextVisibleAt(url)]).toEqual([['q spent'], start + 5000]);
  });

  it('is refused when 120,000 messages are in flight, unless it waits', async () => {
    const { engine, create, send, receive, counts } = inMemory();
    const url = create('q');
    for (let i = 0; i < 120_001; i++) send(url, 'x');
    for (let i = 0; i < 12_000; i++) engine.receive(url, 10);
    expect(counts(url)).toBe('1 120000 0');
    expect(() => receive(url)).toThrow(/Too many messages in flight/);
    const stopping = engine.call('ReceiveMessage', { QueueUrl: url, WaitTimeSeconds: 20 });
    engine.stop();
    expect(await stopping).toEqual({});
  });

  it('that fails to be written takes nothing', () => {
    let broken = false;
    const storage: QueueStorage = {
      ...memoryOnly,
      transaction: (writes) => {
        if (broken) throw new Error('the disk is full');
        writes();
      },
    };
    const { create, send, receive, counts, redrive } = inMemory(storage);
    create('dead');
    const url = create('q', redrive('dead'));
    send(url, 'spent');
    receive(url, { VisibilityTimeout: 0 });
    send(url, 'x');
    broken = true;
    expect(() => receive(url)).toThrow('the disk is full');
    expect(() => send(url, 'y')).toThrow('the disk is full');
    broken = false;
    expect(counts(url)).toBe('2 0 0');
    expect(receive(url)).toMatchObject([{ Body: 'x', Attributes: { ApproximateReceiveCount: '1' } }]);
  });

  it('that waits ends when the engine stops, and when nobody waits for it any more', async () => {
    const { engine, create } = inMemory();
    const input = { QueueUrl: create('q'), WaitTimeSeconds: 20 };
    const gone = new AbortController();
    const [first, second] = [engine.call('ReceiveMessage', input, gone.signal), engine.call('ReceiveMessage', input)];
    gone.abort();
    expect(await first).toEqual({});
    engine.stop();
    expect(await second).toEqual({});
  });

  it('that nobody waits for from the start ends at once', async () => {
    const { engine, create } = inMemory();
    const input = { QueueUrl: create('q'), WaitTimeSeconds: 20 };
    expect(await engine.call('ReceiveMessage', input, AbortSignal.abort())).toEqual({});
  });

  it('that waits gets what somebody puts back', async () => {
    const { engine, create, send, receive } = inMemory();
    const url = create('q');
    send(url, 'x');
    const [{ ReceiptHandle } = { ReceiptHandle: '' }] = receive(url, { VisibilityTimeout: 100 });
    const waiting = engine.call('ReceiveMessage', { QueueUrl: url, WaitTimeSeconds: 20 });
    engine.execute('ChangeMessageVisibility', { QueueUrl: url, ReceiptHandle, VisibilityTimeout: 0 });
    expect(await waiting).toMatchObject({ Messages: [{ Body: 'x' }] });
  });

  it('that waits is refused when its queue is deleted', async () => {
    const { engine, create } = inMemory();
    const url = create('q');
    const waiting = engine.call('ReceiveMessage', { QueueUrl: url, WaitTimeSeconds: 20 });
    engine.execute('DeleteQueue', { QueueUrl: url });
    await expect(waiting).rejects.toMatchObject({ name: 'QueueDoesNotExist' });
  });

  it('gives receipts that hold for its queue only', () => {
    const { engine, create, send, receive } = inMemory();
    const [url, other] = [create('q'), create('other')];
    send(url, 'x');
    const [{ ReceiptHandle } = { ReceiptHandle: '' }] = receive(url);
    expect(() => engine.execute('DeleteMessage', { QueueUrl: other, ReceiptHandle })).toThrow(/not a valid receipt handle/);
  });

  it('that nobody waits for any more takes nothing, even when both happen at once', async () => {
    const { engine, create, send, counts } = inMemory();
    const url = create('q');
    const gone = new AbortController();
    const waiting = engine.call('ReceiveMessage', { QueueUrl: url, WaitTimeSeconds: 20 }, gone.signal);
    send(url, 'x');
    gone.abort();
    expect([await waiting, counts(url)]).toEqual([{}, '1 0 0']);
  });
});

describe('the engine on SQLite', () => {
  let folder: string;
  beforeEach(() => {
    folder = temporaryFolder();
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  /** Uses an engine as a process does that then ends without a word. */
  const during = <Result>(use: (asked: ReturnType<typeof asking>) => Result): Result => {
    const database = openDatabase(folder);
    try {
      return use(inMemory(new SqliteQueueStorage(database)));
    } finally {
      database.close();
    }
  };

  it('shows at once what was in flight when it ended, with its count, and keeps the rest as it was', () => {
    const url = during(({ create, send, receive, engine }) => {
      const queue = create('q', { VisibilityTimeout: '99' });
      engine.execute('TagQueue', { QueueUrl: queue, Tags: { a: 'b' } });
      send(queue, 'in flight', { MessageAttributes: { n: { DataType: 'Number', StringValue: '7' } }, MessageGroupId: 'g' });
      seconds = 5;
      receive(queue);
      send(queue, 'delayed', { DelaySeconds: 100 });
      send(queue, 'deleted');
      const [{ ReceiptHandle } = { ReceiptHandle: '' }] = receive(queue);
      engine.execute('DeleteMessage', { QueueUrl: queue, ReceiptHandle });
      send(queue, 'visible');
      return queue;
    });
    seconds = 7;
    during(({ receive, counts, engine, send }) => {
      expect(counts(url)).toBe('2 0 1');
      const [first, second] = receive(url, { MessageAttributeNames: ['All'] });
      expect(first).toMatchObject({
        Body: 'in flight',
        MessageAttributes: { n: { DataType: 'Number', StringValue: '7' } },
        Attributes: {
          ApproximateReceiveCount: '2',
          ApproximateFirstReceiveTimestamp: String(start + 5000),
          SentTimestamp: String(start),
          MessageGroupId: 'g',
        },
      });
      expect(second).toMatchObject({ Body: 'visible', Attributes: { ApproximateReceiveCount: '1' } });
      expect(engine.execute('ListQueueTags', { QueueUrl: url })).toEqual({ Tags: { a: 'b' } });
      seconds = 105;
      expect(receive(url).map(({ Body }) => Body)).toEqual(['delayed']);
      seconds = 106;
      expect(receive(url).map(({ Body }) => Body)).toEqual(['in flight', 'visible']);
      send(url, 'after');
      expect(receive(url).map(({ Body }) => Body)).toEqual(['after']);
    });
  });

  it('keeps what became of dead letters, and what is deleted, purged and too old', () => {
    const urls = during(({ create, send, receive, redrive, engine, arnOf }) => {
      const [dead, gone, purged, short] = [
        create('dead'),
        create('gone'),
        create('purged'),
        create('short', { MessageRetentionPeriod: '60' }),
      ];
      const url = create('q', redrive('dead'));
      for (const queue of [url, gone, purged, short]) send(queue, 'x');
      receive(url, { VisibilityTimeout: 0 });
      receive(url);
      send(dead, 'by hand');
      engine.execute('StartMessageMoveTask', { SourceArn: arnOf('dead'), DestinationArn: arnOf('q') });
      engine.advanceMoves();
      receive(url, { VisibilityTimeout: 0 });
      receive(url);
      engine.execute('DeleteQueue', { QueueUrl: gone });
      engine.execute('PurgeQueue', { QueueUrl: purged });
      seconds = 61;
      receive(short);
      return { dead, purged, short, url };
    });
    during(({ counts, receive, create, arnOf }) => {
      expect([urls.url, urls.dead, urls.purged, urls.short].map(counts)).toEqual(['0 0 0', '2 0 0', '0 0 0', '0 0 0']);
      expect(receive(urls.dead)[0]!.Attributes).toMatchObject({ DeadLetterQueueSourceArn: arnOf('q'), ApproximateReceiveCount: '2' });
      expect(counts(create('gone'))).toBe('0 0 0');
    });
    during(({ counts }) => expect(counts(urls.purged.replace('purged', 'gone'))).toBe('0 0 0'));
  });

  it('keeps a batch as a whole or not at all', () => {
    const url = during(({ create }) => create('q'));
    const database = openDatabase(folder);
    const { engine, counts } = inMemory(new SqliteQueueStorage(database));
    database.exec(`CREATE TRIGGER full BEFORE INSERT ON sqs_messages WHEN NEW.body = 'last' BEGIN SELECT RAISE(ABORT, 'full'); END`);
    const Entries = ['first', 'last'].map((MessageBody) => ({ Id: MessageBody, MessageBody }));
    expect(() => engine.execute('SendMessageBatch', { QueueUrl: url, Entries })).toThrow('full');
    expect(counts(url)).toBe('0 0 0');
    database.close();
    during((asked) => expect(asked.counts(url)).toBe('0 0 0'));
  });
});

describe('a queue', () => {
  it('is of this account only', () => {
    const { create, send } = inMemory();
    const url = create('q');
    expect(() => send(url.replace('/000000000000/', '/111111111111/'), 'x')).toThrow('The specified queue does not exist.');
  });

  it('is a dead-letter queue only while a queue names it', () => {
    const { engine, create, arnOf, redrive } = inMemory();
    create('dead');
    const QueueUrl = create('q', redrive('dead'));
    engine.execute('StartMessageMoveTask', { SourceArn: arnOf('dead') });
    engine.advanceMoves();
    engine.execute('SetQueueAttributes', { QueueUrl, Attributes: { RedrivePolicy: '' } });
    expect(() => engine.execute('StartMessageMoveTask', { SourceArn: arnOf('dead') })).toThrow(/Dead Letter Queue/);
  });

  it('keeps its messages when its dead-letter queue is deleted', () => {
    const { engine, create, send, receive, redrive } = inMemory();
    const dead = create('dead');
    const url = create('q', redrive('dead'));
    send(url, 'x');
    receive(url, { VisibilityTimeout: 0 });
    engine.execute('DeleteQueue', { QueueUrl: dead });
    expect(receive(url)).toMatchObject([{ Body: 'x', Attributes: { ApproximateReceiveCount: '2' } }]);
  });
});

describe('errors', () => {
  it('have the codes that older SDKs know', () => {
    expect(queryErrorOf('QueueDoesNotExist')).toEqual({ code: 'AWS.SimpleQueueService.NonExistentQueue', status: 400 });
    expect(queryErrorOf('ReceiptHandleIsInvalid')).toEqual({ code: 'ReceiptHandleIsInvalid', status: 404 });
    expect(queryErrorOf('InvalidAttributeName')).toEqual({ code: 'InvalidAttributeName', status: 400 });
  });
});
