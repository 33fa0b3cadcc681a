import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { targets, type TestSqs } from './support/sqs.ts';
import { differences } from './sqs-differences.ts';

interface ReceivedMessage {
  readonly MessageId: string;
  readonly ReceiptHandle: string;
  readonly Body: string;
  readonly MD5OfBody: string;
  readonly MD5OfMessageAttributes?: string;
  readonly Attributes?: Record<string, string>;
  readonly MessageAttributes?: Record<string, { DataType: string; StringValue?: string; BinaryValue?: string }>;
}

const patient = { timeout: 5000, interval: 40 };
const ones = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

// What AWS answers, as its documentation says and as others have recorded it.
describe.each(Object.entries(targets))('%s', (target, start) => {
  const emulator = differences[target];
  let sqs: TestSqs;
  let url: string;
  let name: string;

  beforeAll(async () => {
    sqs = await start();
  });
  afterAll(() => sqs?.stop());
  beforeEach(async () => {
    name = uniqueName('queue');
    url = await create(name);
  });

  /** What never comes on an emulator is not waited for as long as what comes late. */
  const differsWithinMs = 2000;
  /** A check of what AWS does. One that an emulator is known to fail must fail there, or the table is out of date. */
  const holds = (title: string, run: () => Promise<void>): void => {
    const reason = emulator?.checks[title];
    if (reason === undefined) it(title, run);
    else it.fails(`${title} (differs: ${reason})`, run, differsWithinMs);
  };

  const uniqueName = (of: string): string => `${of}-${randomUUID().slice(0, 8)}`;
  const call = (operation: string, input: object, signal?: AbortSignal) => sqs.call(operation, input, signal);
  const create = async (QueueName: string, Attributes: Record<string, string> = {}): Promise<string> =>
    (await call('CreateQueue', { QueueName, Attributes }))['QueueUrl'] as string;
  const arnOf = async (QueueUrl: string): Promise<string> => (await attributesOf(['QueueArn'], QueueUrl))['QueueArn']!;
  const attributesOf = async (AttributeNames: string[], QueueUrl = url): Promise<Record<string, string>> =>
    ((await call('GetQueueAttributes', { QueueUrl, AttributeNames }))['Attributes'] ?? {}) as Record<string, string>;
  const send = (MessageBody: string, more: object = {}, QueueUrl = url) => call('SendMessage', { QueueUrl, MessageBody, ...more });
  const receive = async (more: object = {}, QueueUrl = url): Promise<ReceivedMessage[]> => {
    const all = { MessageSystemAttributeNames: ['All'], MessageAttributeNames: ['All'], MaxNumberOfMessages: 10 };
    return ((await call('ReceiveMessage', { QueueUrl, ...all, ...more }))['Messages'] ?? []) as ReceivedMessage[];
  };
  /** Waits until a message is visible. */
  const receiveOne = (more: object = {}, QueueUrl = url): Promise<ReceivedMessage> =>
    vi.waitFor(async () => {
      const [message] = await receive({ MaxNumberOfMessages: 1, ...more }, QueueUrl);
      if (!message) throw new Error('nothing is visible');
      return message;
    }, patient);
  const remove = ({ ReceiptHandle }: ReceivedMessage) => call('DeleteMessage', { QueueUrl: url, ReceiptHandle });
  const hide = ({ ReceiptHandle }: ReceivedMessage, VisibilityTimeout: number) =>
    call('ChangeMessageVisibility', { QueueUrl: url, ReceiptHandle, VisibilityTimeout });
  const counts = async (QueueUrl = url): Promise<string> => {
    const of = ['ApproximateNumberOfMessages', 'ApproximateNumberOfMessagesNotVisible', 'ApproximateNumberOfMessagesDelayed'];
    const attributes = await attributesOf(of, QueueUrl);
    return of.map((attribute) => attributes[attribute]).join(' ');
  };
  const refuses = async (operation: string, input: object, code: string, message?: RegExp): Promise<void> => {
    const error = await call(operation, input).then(
      (answer) => new Error(`was not refused: ${JSON.stringify(answer)}`),
      (refusal: unknown) => refusal as Error,
    );
    if (emulator?.errors) {
      expect(error.message).not.toContain('was not refused');
      return;
    }
    expect(`${error.name}: ${error.message}`).toContain(code);
    if (message) expect(error.message).toMatch(message);
  };

  describe('queues', () => {
    holds('are created once, and again with the same attributes', async () => {
      const Attributes = { VisibilityTimeout: '7', DelaySeconds: '3' };
      const QueueName = uniqueName('same');
      const first = await create(QueueName, Attributes);
      expect(first).toMatch(new RegExp(`^http://.*/\\d{12}/${QueueName}$`));
      expect(await create(QueueName, Attributes)).toBe(first);
      expect(await create(QueueName)).toBe(first);
      expect((await call('GetQueueUrl', { QueueName }))['QueueUrl']).toBe(first);
    });

    holds('are not created with other attributes', async () => {
      const QueueName = uniqueName('other');
      await create(QueueName, { DelaySeconds: '1' });
      await refuses(
        'CreateQueue',
        { QueueName, Attributes: { DelaySeconds: '2' } },
        'QueueNameExists',
        /different value for attribute DelaySeconds/,
      );
    });

    holds('have names of letters, digits, hyphens and underscores', async () => {
      await refuses('CreateQueue', { QueueName: 'two words' }, 'InvalidParameterValue');
      await refuses('CreateQueue', { QueueName: 'x'.repeat(81) }, 'InvalidParameterValue');
    });

    holds('need a name', () => refuses('CreateQueue', {}, 'MissingRequiredParameterException', /must contain the parameter QueueName/));

    holds('have the attributes of AWS', async () => {
      expect(await attributesOf(['All'])).toMatchObject({
        QueueArn: expect.stringMatching(new RegExp(`^arn:aws:sqs:[a-z0-9-]+:\\d{12}:${name}$`)) as string,
        VisibilityTimeout: '30',
        MessageRetentionPeriod: '345600',
        DelaySeconds: '0',
        ReceiveMessageWaitTimeSeconds: '0',
        MaximumMessageSize: '1048576',
        ApproximateNumberOfMessages: '0',
        ApproximateNumberOfMessagesNotVisible: '0',
        ApproximateNumberOfMessagesDelayed: '0',
        CreatedTimestamp: expect.stringMatching(/^\d{10}$/) as string,
        LastModifiedTimestamp: expect.stringMatching(/^\d{10}$/) as string,
      });
    });

    holds('answer the attributes that were asked for only', async () => {
      expect(await attributesOf(['DelaySeconds'])).toEqual({ DelaySeconds: '0' });
      expect(await attributesOf([])).toEqual({});
    });

    holds('do not know other attributes', async () => {
      await refuses(
        'GetQueueAttributes',
        { QueueUrl: url, AttributeNames: ['Colour'] },
        'InvalidAttributeName',
        /Unknown Attribute Colour/,
      );
      await refuses(
        'SetQueueAttributes',
        { QueueUrl: url, Attributes: { Colour: 'red' } },
        'InvalidAttributeName',
        /Unknown Attribute Colour/,
      );
    });

    holds('are changed', async () => {
      await call('SetQueueAttributes', { QueueUrl: url, Attributes: { VisibilityTimeout: '77', MessageRetentionPeriod: '600' } });
      expect(await attributesOf(['VisibilityTimeout', 'MessageRetentionPeriod'])).toEqual({
        VisibilityTimeout: '77',
        MessageRetentionPeriod: '600',
      });
    });

    for (const [attribute, values] of Object.entries({
      DelaySeconds: ['-1', '901', 'soon'],
      MaximumMessageSize: ['1023', '1048577'],
      MessageRetentionPeriod: ['59', '1209601'],
      ReceiveMessageWaitTimeSeconds: ['21'],
      VisibilityTimeout: ['43201'],
    })) {
      holds(`bound ${attribute}`, async () => {
        for (const value of values)
          await refuses('SetQueueAttributes', { QueueUrl: url, Attributes: { [attribute]: value } }, 'InvalidAttributeValue');
      });
    }

    holds('are listed by prefix, in pages', async () => {
      const prefix = uniqueName('list');
      for (const i of ones(3)) await create(`${prefix}-${i}`);
      const { QueueUrls, NextToken } = await call('ListQueues', { QueueNamePrefix: prefix, MaxResults: 2 });
      const rest = await call('ListQueues', { QueueNamePrefix: prefix, MaxResults: 2, NextToken });
      expect([...(QueueUrls as string[]), ...(rest['QueueUrls'] as string[])].map((queue) => queue.slice(-1))).toEqual(['0', '1', '2']);
      expect(rest['NextToken'] ?? undefined).toBeUndefined();
    });

    holds('are deleted', async () => {
      await call('DeleteQueue', { QueueUrl: url });
      await refuses('GetQueueUrl', { QueueName: name }, 'QueueDoesNotExist', /The specified queue does not exist/);
      await refuses('SendMessage', { QueueUrl: url, MessageBody: 'x' }, 'QueueDoesNotExist');
      await refuses('ReceiveMessage', { QueueUrl: url }, 'QueueDoesNotExist');
    });

    holds('are found by the path of their URL, whatever its host', async () => {
      await send('here', {}, url.replace(/^http:\/\/[^/]+/, 'https://sqs.us-east-1.amazonaws.com'));
      expect(await receive()).toHaveLength(1);
    });

    holds('have tags', async () => {
      await call('TagQueue', { QueueUrl: url, Tags: { team: 'orders', empty: '' } });
      await call('TagQueue', { QueueUrl: url, Tags: { team: 'stock' } });
      expect((await call('ListQueueTags', { QueueUrl: url }))['Tags']).toEqual({ team: 'stock', empty: '' });
      await call('UntagQueue', { QueueUrl: url, TagKeys: ['team', 'unknown'] });
      expect((await call('ListQueueTags', { QueueUrl: url }))['Tags']).toEqual({ empty: '' });
    });

    holds('are purged, with what is in flight and delayed', async () => {
      await send('visible');
      await receive();
      await send('delayed', { DelaySeconds: 100 });
      await send('visible');
      await call('PurgeQueue', { QueueUrl: url });
      expect(await counts()).toBe('0 0 0');
    });

    holds('are purged once a minute', async () => {
      await call('PurgeQueue', { QueueUrl: url });
      await refuses('PurgeQueue', { QueueUrl: url }, 'PurgeQueueInProgress', /allowed every 60 seconds/);
    });

    holds('do not come back at once after they were deleted', async () => {
      await call('DeleteQueue', { QueueUrl: url });
      await refuses('CreateQueue', { QueueName: name }, 'QueueDeletedRecently');
    });
  });

  describe('a message', () => {
    holds('is sent with its checksums and received with them', async () => {
      const MessageAttributes = { Hello: { DataType: 'String', StringValue: 'There' } };
      const sent = await send('msg', { MessageAttributes });
      expect(sent).toMatchObject({
        MD5OfMessageBody: '6e2baaf3b97dbeef01c0043275f9a0e7',
        MD5OfMessageAttributes: 'a311262e065454b75da111d535b8dacd',
      });
      const [message] = await receive();
      expect(message).toMatchObject({
        MessageId: sent['MessageId'],
        Body: 'msg',
        MD5OfBody: '6e2baaf3b97dbeef01c0043275f9a0e7',
        MD5OfMessageAttributes: 'a311262e065454b75da111d535b8dacd',
        MessageAttributes,
        Attributes: {
          ApproximateReceiveCount: '1',
          SentTimestamp: expect.stringMatching(/^\d{13}$/) as string,
          ApproximateFirstReceiveTimestamp: expect.stringMatching(/^\d{13}$/) as string,
          SenderId: expect.any(String) as string,
        },
      });
    });

    holds('has attributes of every type', async () => {
      const MessageAttributes = {
        text: { DataType: 'String', StringValue: 'ä' },
        custom: { DataType: 'Number.int', StringValue: '-1.5e3' },
        bytes: { DataType: 'Binary', BinaryValue: Buffer.from([0, 1, 255]).toString('base64') },
      };
      await send('msg', { MessageAttributes });
      expect((await receive())[0]!.MessageAttributes).toEqual(MessageAttributes);
    });

    holds('shows the attributes that a receiver asks for', async () => {
      const of = (StringValue: string) => ({ DataType: 'String', StringValue });
      await send('msg', { MessageAttributes: { General: of('Kenobi'), Hello: of('There'), 'Help.Me': of('Me') } });
      const asked = async (names: string[]): Promise<ReceivedMessage> =>
        (await receive({ MessageAttributeNames: names, MessageSystemAttributeNames: [], VisibilityTimeout: 0 }))[0]!;
      const [nothing, prefix, two] = [await asked([]), await asked(['Hel.*']), await asked(['General', 'Hello', 'Nobody'])];
      expect([nothing.MessageAttributes, nothing.MD5OfMessageAttributes, nothing.Attributes]).toEqual([undefined, undefined, undefined]);
      expect([Object.keys(prefix.MessageAttributes!), prefix.MD5OfMessageAttributes]).toEqual([
        ['Hello', 'Help.Me'],
        '83fee93c1bcd8b9a5a923ffacdc636c7',
      ]);
      expect(two.MD5OfMessageAttributes).toBe('fca026605781cb4126a1e9044df24232');
    });

    holds('keeps its group and its trace', async () => {
      const MessageSystemAttributes = { AWSTraceHeader: { DataType: 'String', StringValue: 'Root=1-5759e988-bd862e3fe1be46a994272793' } };
      await send('msg', { MessageGroupId: 'tenant-1', MessageSystemAttributes });
      expect((await receive())[0]!.Attributes).toMatchObject({
        MessageGroupId: 'tenant-1',
        AWSTraceHeader: 'Root=1-5759e988-bd862e3fe1be46a994272793',
      });
    });

    holds('needs a body', async () => {
      await refuses('SendMessage', { QueueUrl: url }, 'MissingRequiredParameterException', /must contain the parameter MessageBody/);
      await refuses(
        'SendMessage',
        { QueueUrl: url, MessageBody: '' },
        'MissingRequiredParameterException',
        /must contain the parameter MessageBody/,
      );
    });

    holds('holds characters of XML only', async () => {
      for (const body of ['a\u0000', '\u0001', '\uFFFE', '\uD800'])
        await refuses('SendMessage', { QueueUrl: url, MessageBody: body }, 'InvalidMessageContents');
      await send('\t\r\n \uFFFD 🎉');
      expect((await receive())[0]!.Body).toBe('\t\r\n \uFFFD 🎉');
    });

    holds('is at most as large as its queue allows, its attributes counted', async () => {
      await call('SetQueueAttributes', { QueueUrl: url, Attributes: { MaximumMessageSize: '1024' } });
      const MessageAttributes = { name: { DataType: 'String', StringValue: 'é'.repeat(7) } };
      await send('x'.repeat(1000), { MessageAttributes });
      const more = { QueueUrl: url, MessageBody: 'x'.repeat(1001), MessageAttributes };
      await refuses('SendMessage', more, 'InvalidParameterValue', /Message must be shorter than 1024 bytes/);
    });

    holds('is at most 1 MiB', async () => {
      await send('x'.repeat(1_048_576));
      const MessageBody = 'x'.repeat(1_048_577);
      await refuses('SendMessage', { QueueUrl: url, MessageBody }, 'InvalidParameterValue', /shorter than 1048576 bytes/);
    });

    const attribute = (of: string, value: object) => ({ QueueUrl: url, MessageBody: 'x', MessageAttributes: { [of]: value } });
    holds('has at most ten attributes', async () => {
      const MessageAttributes = Object.fromEntries(ones(11).map((i) => [`a${i}`, { DataType: 'String', StringValue: 'x' }]));
      await refuses('SendMessage', { QueueUrl: url, MessageBody: 'x', MessageAttributes }, 'InvalidParameterValue');
    });
    holds('has no empty attribute', () =>
      refuses(
        'SendMessage',
        attribute('a', { DataType: 'String', StringValue: '' }),
        'InvalidParameterValue',
        /must contain a non-empty value of type 'String'/,
      ),
    );
    holds('has attributes of known types', () =>
      refuses('SendMessage', attribute('a', { DataType: 'Text', StringValue: 'x' }), 'InvalidParameterValue', /type/),
    );
    holds('has numbers that are numbers', () =>
      refuses('SendMessage', attribute('a', { DataType: 'Number', StringValue: 'many' }), 'InvalidParameterValue'),
    );
    holds('has no attribute of the names that AWS keeps', async () => {
      for (const of of ['AWS.x', 'amazon.x', '.x', 'x.', 'x..y', 'x y'])
        await refuses('SendMessage', attribute(of, { DataType: 'String', StringValue: 'x' }), 'InvalidParameterValue');
    });

    holds('is delayed as its queue says, or as it says itself', async () => {
      await call('SetQueueAttributes', { QueueUrl: url, Attributes: { DelaySeconds: '100' } });
      await send('as the queue says');
      await send('at once', { DelaySeconds: 0 });
      await send('in a second', { DelaySeconds: 1 });
      expect(await counts()).toBe('1 0 2');
      expect((await receive()).map(({ Body }) => Body)).toEqual(['at once']);
      expect((await receiveOne()).Body).toBe('in a second');
      expect(await counts()).toBe('0 2 1');
    });

    holds('is delayed by 15 minutes at most', () =>
      refuses('SendMessage', { QueueUrl: url, MessageBody: 'x', DelaySeconds: 901 }, 'InvalidParameterValue', /DelaySeconds/),
    );
  });

  describe('a receive', () => {
    holds('takes up to ten messages, oldest first', async () => {
      for (const i of ones(12)) await send(String(i));
      expect(await receive({ MaxNumberOfMessages: undefined })).toHaveLength(1);
      expect(await receive()).toHaveLength(10);
      expect(await receive()).toHaveLength(1);
      expect(await counts()).toBe('0 12 0');
    });

    holds('has bounds', async () => {
      for (const MaxNumberOfMessages of [0, 11])
        await refuses(
          'ReceiveMessage',
          { QueueUrl: url, MaxNumberOfMessages },
          'InvalidParameterValue',
          /Must be between 1 and 10, if provided/,
        );
      await refuses('ReceiveMessage', { QueueUrl: url, WaitTimeSeconds: 21 }, 'InvalidParameterValue', /WaitTimeSeconds/);
      await refuses('ReceiveMessage', { QueueUrl: url, VisibilityTimeout: 43_201 }, 'InvalidParameterValue', /VisibilityTimeout/);
    });

    holds('hides for as long as it asks, counts, and keeps the time of the first', async () => {
      await send('msg');
      const first = await receiveOne({ VisibilityTimeout: 1 });
      expect(await receive()).toEqual([]);
      const second = await receiveOne();
      expect(second.Attributes).toMatchObject({
        ApproximateReceiveCount: '2',
        ApproximateFirstReceiveTimestamp: first.Attributes!['ApproximateFirstReceiveTimestamp'],
      });
      expect(second.ReceiptHandle).not.toBe(first.ReceiptHandle);
    });

    holds('waits until a message comes', async () => {
      const waiting = receive({ WaitTimeSeconds: 10 });
      await send('msg');
      expect(await waiting).toHaveLength(1);
    });

    holds('waits until a message is visible again', async () => {
      await send('msg');
      await receive({ VisibilityTimeout: 1 });
      const startedAt = performance.now();
      expect(await receive({ WaitTimeSeconds: 20 })).toHaveLength(1);
      expect(performance.now() - startedAt).toBeLessThan(10_000);
    });

    holds('waits as its queue says, and answers nothing then', async () => {
      await call('SetQueueAttributes', { QueueUrl: url, Attributes: { ReceiveMessageWaitTimeSeconds: '1' } });
      const startedAt = performance.now();
      expect(await receive()).toEqual([]);
      expect(performance.now() - startedAt).toBeGreaterThan(900);
    });

    holds('that nobody waits for any more takes nothing', async () => {
      const gone = new AbortController();
      const waiting = call('ReceiveMessage', { QueueUrl: url, WaitTimeSeconds: 10 }, gone.signal).catch(() => undefined);
      // Until it waits: the emulators cannot be asked.
      await call('GetQueueAttributes', { QueueUrl: url, AttributeNames: ['All'] });
      gone.abort();
      await waiting;
      await send('msg');
      expect(await receive({ WaitTimeSeconds: 1 })).toHaveLength(1);
    });
  });

  describe('a receipt', () => {
    holds('deletes its message, once and again', async () => {
      await send('msg');
      const [message] = await receive();
      await remove(message!);
      await remove(message!);
      expect(await counts()).toBe('0 0 0');
    });

    holds('of an earlier receive deletes as well', async () => {
      await send('msg');
      const early = await receiveOne({ VisibilityTimeout: 1 });
      await receiveOne();
      await remove(early);
      expect(await counts()).toBe('0 0 0');
    });

    holds('that was never given is refused', async () => {
      await refuses('DeleteMessage', { QueueUrl: url, ReceiptHandle: 'invented' }, 'ReceiptHandleIsInvalid');
      const more = { QueueUrl: url, ReceiptHandle: 'invented', VisibilityTimeout: 1 };
      await refuses('ChangeMessageVisibility', more, 'ReceiptHandleIsInvalid');
    });

    holds('changes for how long its message is hidden', async () => {
      await send('msg');
      const first = await receiveOne();
      await hide(first, 1);
      expect(await receive()).toEqual([]);
      const second = await receiveOne();
      await hide(second, 0);
      expect(await receive()).toHaveLength(1);
    });

    holds('changes nothing when its message is visible again', async () => {
      await send('msg');
      const message = await receiveOne();
      await hide(message, 0);
      await hide(message, 100);
      expect(await receive()).toHaveLength(1);
    });

    holds('of a message that is gone hides nothing', async () => {
      await send('msg');
      const message = await receiveOne();
      await remove(message);
      const more = { QueueUrl: url, ReceiptHandle: message.ReceiptHandle, VisibilityTimeout: 1 };
      await refuses('ChangeMessageVisibility', more, 'InvalidParameterValue', /Message does not exist or is not available/);
    });

    holds('hides for 12 hours in total', async () => {
      await send('msg');
      const message = await receiveOne();
      const more = { QueueUrl: url, ReceiptHandle: message.ReceiptHandle };
      await refuses('ChangeMessageVisibility', { ...more, VisibilityTimeout: 43_201 }, 'InvalidParameterValue');
      await refuses('ChangeMessageVisibility', more, 'MissingRequiredParameterException', /VisibilityTimeout/);
    });
  });

  describe('a batch', () => {
    const entries = (count: number, MessageBody = 'x') => ones(count).map((i) => ({ Id: `e${i}`, MessageBody }));

    holds('sends, hides and deletes', async () => {
      const sent = await call('SendMessageBatch', { QueueUrl: url, Entries: entries(3) });
      expect((sent['Successful'] as { Id: string }[]).map(({ Id }) => Id)).toEqual(['e0', 'e1', 'e2']);
      expect(sent['Successful']).toMatchObject([{ MD5OfMessageBody: '9dd4e461268c8034f5c8564e155c67a6' }, {}, {}]);
      const messages = await receive();
      const handles = messages.map(({ ReceiptHandle }, i) => ({ Id: `e${i}`, ReceiptHandle }));
      await call('ChangeMessageVisibilityBatch', { QueueUrl: url, Entries: handles.map((entry) => ({ ...entry, VisibilityTimeout: 0 })) });
      expect(await counts()).toBe('3 0 0');
      const deleted = await call('DeleteMessageBatch', { QueueUrl: url, Entries: handles });
      expect(deleted['Successful']).toHaveLength(3);
      expect(await counts()).toBe('0 0 0');
    });

    holds('takes the good entries and names the bad ones', async () => {
      const Entries = [...entries(1), { Id: 'bad', MessageBody: 'b\u0001' }, { Id: 'late', MessageBody: 'c', DelaySeconds: 901 }];
      const { Successful, Failed } = await call('SendMessageBatch', { QueueUrl: url, Entries });
      expect(Successful).toMatchObject([{ Id: 'e0' }]);
      expect(Failed).toMatchObject([
        { Id: 'bad', SenderFault: true, Code: 'InvalidMessageContents' },
        { Id: 'late', SenderFault: true, Code: 'InvalidParameterValue' },
      ]);
      expect(await counts()).toBe('1 0 0');
    });

    holds('names the receipts that were never given', async () => {
      await send('msg');
      const Entries = [
        { Id: 'good', ReceiptHandle: (await receiveOne()).ReceiptHandle },
        { Id: 'bad', ReceiptHandle: 'invented' },
      ];
      const { Successful, Failed } = await call('DeleteMessageBatch', { QueueUrl: url, Entries });
      expect(Successful).toMatchObject([{ Id: 'good' }]);
      expect(Failed).toMatchObject([{ Id: 'bad', SenderFault: true, Code: 'ReceiptHandleIsInvalid' }]);
    });

    for (const operation of ['SendMessageBatch', 'DeleteMessageBatch', 'ChangeMessageVisibilityBatch']) {
      const more = { MessageBody: 'x', ReceiptHandle: 'x', VisibilityTimeout: 1 };
      holds(`is not empty: ${operation}`, () => refuses(operation, { QueueUrl: url, Entries: [] }, 'EmptyBatchRequest'));
      holds(`has ten entries at most: ${operation}`, () =>
        refuses(
          operation,
          { QueueUrl: url, Entries: ones(11).map((i) => ({ Id: `e${i}`, ...more })) },
          'TooManyEntriesInBatchRequest',
          /You have sent 11/,
        ),
      );
      holds(`has distinct ids: ${operation}`, () =>
        refuses(operation, { QueueUrl: url, Entries: [1, 2].map(() => ({ Id: 'same', ...more })) }, 'BatchEntryIdsNotDistinct'),
      );
      holds(`has ids of letters, digits, hyphens and underscores: ${operation}`, () =>
        refuses(operation, { QueueUrl: url, Entries: [{ Id: 'a:b', ...more }] }, 'InvalidBatchEntryId'),
      );
    }

    holds('is at most 1 MiB in total, and sends nothing when it is more', async () => {
      const half = 'x'.repeat(524_288);
      await call('SendMessageBatch', { QueueUrl: url, Entries: entries(2, half) });
      const Entries = [...entries(2, half), { Id: 'more', MessageBody: 'x' }];
      await refuses('SendMessageBatch', { QueueUrl: url, Entries }, 'BatchRequestTooLong');
      expect(await counts()).toBe('2 0 0');
    });
  });

  describe('dead letters', () => {
    let deadUrl: string;
    let deadArn: string;
    let arn: string;

    beforeEach(async () => {
      deadUrl = await create(uniqueName('dead'));
      deadArn = await arnOf(deadUrl);
      arn = await arnOf(url);
    });
    const redriveTo = (deadLetterTargetArn: string, maxReceiveCount: unknown = 1) =>
      call('SetQueueAttributes', {
        QueueUrl: url,
        Attributes: { RedrivePolicy: JSON.stringify({ deadLetterTargetArn, maxReceiveCount }) },
      });
    /** Receives a message once too often. */
    const spend = async (body: string): Promise<ReceivedMessage> => {
      await send(body, { MessageAttributes: { a: { DataType: 'String', StringValue: 'x' } }, MessageGroupId: 'g' });
      const first = await receiveOne();
      await hide(first, 0);
      expect(await receive()).toEqual([]);
      return first;
    };
    const taskOf = async (): Promise<Record<string, unknown> | undefined> =>
      ((await call('ListMessageMoveTasks', { SourceArn: deadArn }))['Results'] as Record<string, unknown>[])[0];
    const settledTask = () =>
      vi.waitFor(async () => {
        const task = await taskOf();
        if (!task || task['Status'] === 'RUNNING') throw new Error('the task runs');
        return task;
      }, patient);

    holds('are messages that were received too often, as they were', async () => {
      await redriveTo(deadArn);
      const first = await spend('poison');
      const [dead] = await receive({}, deadUrl);
      expect(dead).toMatchObject({
        MessageId: first.MessageId,
        Body: 'poison',
        MessageAttributes: { a: { StringValue: 'x' } },
        Attributes: { SentTimestamp: first.Attributes!['SentTimestamp'] },
      });
      expect(await counts()).toBe('0 0 0');
    });

    holds('say where they are from, and keep their count and group', async () => {
      await redriveTo(deadArn);
      await spend('poison');
      const [dead] = await receive({}, deadUrl);
      expect(dead!.Attributes).toMatchObject({ DeadLetterQueueSourceArn: arn, MessageGroupId: 'g', ApproximateReceiveCount: '2' });
    });

    holds('need a policy that AWS takes', async () => {
      const policy = (RedrivePolicy: string) => ({ QueueUrl: url, Attributes: { RedrivePolicy } });
      const bad = [
        'none',
        JSON.stringify({ deadLetterTargetArn: deadArn }),
        JSON.stringify({ maxReceiveCount: 1 }),
        JSON.stringify({ deadLetterTargetArn: 'dummy', maxReceiveCount: 1 }),
        JSON.stringify({ deadLetterTargetArn: deadArn, maxReceiveCount: 0 }),
        JSON.stringify({ deadLetterTargetArn: deadArn, maxReceiveCount: 1001 }),
        JSON.stringify({ deadLetterTargetArn: `${deadArn}-not`, maxReceiveCount: 1 }),
      ];
      for (const text of bad) await refuses('SetQueueAttributes', policy(text), 'InvalidParameterValue', /RedrivePolicy is invalid/);
    });

    holds('have sources that are listed', async () => {
      await redriveTo(deadArn, '5');
      expect((await call('ListDeadLetterSourceQueues', { QueueUrl: deadUrl }))['queueUrls']).toEqual([url]);
      expect(JSON.parse((await attributesOf(['RedrivePolicy']))['RedrivePolicy']!)).toEqual({
        deadLetterTargetArn: deadArn,
        maxReceiveCount: 5,
      });
      await call('SetQueueAttributes', { QueueUrl: url, Attributes: { RedrivePolicy: '' } });
      expect((await call('ListDeadLetterSourceQueues', { QueueUrl: deadUrl }))['queueUrls'] ?? []).toEqual([]);
    });

    holds('are moved back to where they are from, as new messages', async () => {
      await redriveTo(deadArn);
      const first = await spend('poison');
      expect(await call('StartMessageMoveTask', { SourceArn: deadArn }, AbortSignal.timeout(5000))).toMatchObject({
        TaskHandle: expect.any(String) as string,
      });
      expect(await settledTask()).toMatchObject({
        Status: 'COMPLETED',
        SourceArn: deadArn,
        ApproximateNumberOfMessagesMoved: 1,
        ApproximateNumberOfMessagesToMove: 1,
        StartedTimestamp: expect.any(Number) as number,
      });
      const again = await receiveOne();
      expect(again).toMatchObject({
        Body: 'poison',
        Attributes: { ApproximateReceiveCount: '1' },
        MessageAttributes: { a: { StringValue: 'x' } },
      });
      expect(again.MessageId).not.toBe(first.MessageId);
      expect(again.Attributes!['DeadLetterQueueSourceArn']).toBeUndefined();
    });

    holds('that somebody sent there cannot be moved back', async () => {
      await redriveTo(deadArn);
      await send('by hand', {}, deadUrl);
      await call('StartMessageMoveTask', { SourceArn: deadArn }, AbortSignal.timeout(5000));
      expect(await settledTask()).toMatchObject({ Status: 'FAILED', FailureReason: 'CouldNotDetermineMessageSource' });
      expect(await counts(deadUrl)).toBe('1 0 0');
    });

    holds('that somebody sent there are moved to a queue that is named', async () => {
      await redriveTo(deadArn);
      await send('by hand', {}, deadUrl);
      await call('StartMessageMoveTask', { SourceArn: deadArn, DestinationArn: arn, MaxNumberOfMessagesPerSecond: 500 });
      expect(await settledTask()).toMatchObject({ Status: 'COMPLETED', DestinationArn: arn, MaxNumberOfMessagesPerSecond: 500 });
      expect((await receiveOne()).Body).toBe('by hand');
    });

    holds('are moved by one task at a time, which can be cancelled', async () => {
      await redriveTo(deadArn);
      for (const i of ones(5)) await send(String(i), {}, deadUrl);
      const slow = { SourceArn: deadArn, DestinationArn: arn, MaxNumberOfMessagesPerSecond: 1 };
      const { TaskHandle } = await call('StartMessageMoveTask', slow);
      await refuses('StartMessageMoveTask', slow, 'InvalidParameterValue', /already a task running/);
      expect(await taskOf()).toMatchObject({ Status: 'RUNNING', TaskHandle, ApproximateNumberOfMessagesToMove: 5 });
      expect(await call('CancelMessageMoveTask', { TaskHandle })).toHaveProperty('ApproximateNumberOfMessagesMoved');
      const task = await settledTask();
      expect(task).toMatchObject({ Status: 'CANCELLED' });
      expect(task).not.toHaveProperty('TaskHandle');
    });

    holds('are moved out of dead-letter queues only', () =>
      refuses(
        'StartMessageMoveTask',
        { SourceArn: deadArn, DestinationArn: arn },
        'InvalidParameterValue',
        /Source queue must be configured as a Dead Letter Queue/,
      ),
    );

    holds('are moved between queues that exist', async () => {
      await redriveTo(deadArn);
      await refuses(
        'StartMessageMoveTask',
        { SourceArn: `${deadArn}-not`, DestinationArn: arn },
        'ResourceNotFoundException',
        /SourceArn parameter doesn't exist/,
      );
      const nowhere = { SourceArn: deadArn, DestinationArn: `${deadArn}-not` };
      await refuses('StartMessageMoveTask', nowhere, 'ResourceNotFoundException', /DestinationArn parameter doesn't exist/);
    });

    holds('have tasks that are known by their handle', async () => {
      await refuses('CancelMessageMoveTask', { TaskHandle: 'invented' }, 'InvalidParameterValue', /TaskHandle is invalid/);
      const of = (task: object) => ({ TaskHandle: Buffer.from(JSON.stringify(task)).toString('base64') });
      await refuses(
        'CancelMessageMoveTask',
        of({ taskId: randomUUID(), sourceArn: deadArn }),
        'ResourceNotFoundException',
        /Task does not exist/,
      );
    });
  });

  holds('refuses FIFO queues, which the product does not use', () =>
    refuses('CreateQueue', { QueueName: `${name}.fifo`, Attributes: { FifoQueue: 'true' } }, 'UnsupportedOperation', /FIFO/),
  );
  holds('refuses an operation that does not exist', () => refuses('PaintQueue', {}, 'UnknownOperationException'));
  holds('refuses input of another type', () => refuses('SendMessage', { QueueUrl: url, MessageBody: 7 }, 'SerializationException'));
});
