import {
  DeleteMessageCommand,
  ReceiveMessageCommand,
  SendMessageCommand,
  type Message,
  type SendMessageCommandInput,
} from '@aws-sdk/client-sqs';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { DeadLetterReason } from '@outbox-saga/kit/consumer/dead-letters';
import { encodeEnvelope, type Envelope } from '@outbox-saga/kit/messages/envelope';
import type { Queues } from '@outbox-saga/kit/aws/clients';
import { consumersOf, type ConsumerQueues } from '../../ops/dead-letters.ts';
import { listDeadLetters, redriveDeadLetters, type Selection } from '../../ops/triage.ts';
import { aMessage, orderKeys } from '../support/builders.ts';
import { startQueues, type TestQueues } from '../support/queues.ts';

const aReason = (changes: Partial<DeadLetterReason> = {}): DeadLetterReason => ({
  class: 'exhausted',
  consumer: 'payment',
  error: 'TransientError: the gateway answered 503',
  fingerprint: 'f-503',
  attempts: 24,
  firstFailedAt: Date.parse('2026-11-20T01:00:00Z'),
  lastFailedAt: Date.parse('2026-11-20T07:00:00Z'),
  receives: 24,
  correlationId: 'correlation-1',
  ...changes,
});
const request = (orderId: string, changes: Partial<Envelope> = {}): Envelope =>
  aMessage('StockReleaseRequested', orderKeys, { aggregateId: orderId, ...changes });
const attribute = (StringValue: string) => ({ DataType: 'String', StringValue });
const bodies = (messages: readonly Message[]): string[] => messages.map(({ Body }) => Body!).toSorted();
const idOf = (body: string): string => (JSON.parse(body) as Envelope).messageId;

let queues: TestQueues;
beforeAll(async () => {
  queues = await startQueues();
});
afterAll(() => queues.stop());

/** A consumer with queues of its own: the tests wait side by side. */
async function scene() {
  const payment: ConsumerQueues = {
    consumer: 'payment',
    queueUrl: await queues.create('payment'),
    deadLetterQueueUrl: await queues.create('payment-dead'),
  };
  const lines: string[] = [];
  const calls: object[] = [];
  const trouble = { with: (_command: object): boolean => false };
  const send = (command: object): Promise<unknown> => {
    calls.push(command);
    return trouble.with(command) ? Promise.reject(new Error('not this one')) : queues.client.send(command as SendMessageCommand);
  };
  const port = { send } as Queues;
  const print = (line: string): void => void lines.push(line);
  const put = (MessageBody: string, MessageAttributes: SendMessageCommandInput['MessageAttributes'] = {}) =>
    queues.client.send(new SendMessageCommand({ QueueUrl: payment.deadLetterQueueUrl, MessageBody, MessageAttributes }));
  const take = async (QueueUrl: string): Promise<Message[]> => {
    const input = { QueueUrl, MaxNumberOfMessages: 10, VisibilityTimeout: 60, MessageAttributeNames: ['All'] };
    return (await queues.client.send(new ReceiveMessageCommand(input))).Messages ?? [];
  };
  return {
    lines,
    calls,
    output: () => lines.join('\n'),
    /** Calls for which it says true fail. */
    trouble,
    /** Puts a message into the dead-letter queue, as its consumer does. */
    die: (body: string, reason: DeadLetterReason | string = aReason()) =>
      put(body, {
        type: attribute('StockReleaseRequested'),
        failure: attribute(typeof reason === 'string' ? reason : JSON.stringify(reason)),
      }),
    /** As SQS does it itself: without a reason. */
    lose: (body: string) => put(body),
    /** What its consumer would get. */
    delivered: () => take(payment.queueUrl),
    takeLetters: () => take(payment.deadLetterQueueUrl),
    /** Waits until so many messages could be taken from the dead-letter queue, and that there is no other. */
    buried: async (count: number): Promise<Message[]> => {
      const found: Message[] = [];
      await vi.waitFor(
        async () => {
          found.push(...(await take(payment.deadLetterQueueUrl)));
          expect(found.length).toBeGreaterThanOrEqual(count);
        },
        { timeout: 10_000, interval: 50 },
      );
      expect(await take(payment.deadLetterQueueUrl)).toEqual([]);
      expect(found).toHaveLength(count);
      return found;
    },
    list: (look = 100) => listDeadLetters(port, [payment], look, print),
    redrive: (selection: Selection = {}, { yes = true, look = 100 } = {}) =>
      redriveDeadLetters(port, payment, { selection, look, yes }, print),
  };
}

describe.concurrent('listing dead letters', () => {
  it('tells letters by cause, with how many of how many orders, since when and why, and leaves them there', async () => {
    const { lines, output, die, lose, buried, list } = await scene();
    const first = encodeEnvelope(request('ord_1', { correlationId: 'trace-me' }));
    await die(first);
    await die(encodeEnvelope(request('ord_1')), aReason({ lastFailedAt: Date.parse('2026-11-20T09:30:00Z') }));
    await die(encodeEnvelope(request('ord_2')), aReason({ firstFailedAt: Date.parse('2026-11-19T23:00:00Z') }));
    await die(encodeEnvelope(request('ord_3')), aReason({ class: 'permanent', fingerprint: 'f-bug', error: 'TypeError: x', attempts: 1 }));
    await lose(encodeEnvelope(request('ord_4')));
    await lose('not JSON');
    expect(await list()).toBe(0);
    expect(lines.slice(0, 4)).toEqual([
      'payment: 6 letters of 4 orders',
      '  f-503  3 letters of 2 orders, 2026-11-19T23:00:00Z to 2026-11-20T09:30:00Z',
      '    exhausted after 24 attempts: TransientError: the gateway answered 503',
      `    for example ${idOf(first)}: StockReleaseRequested of ord_1, correlation id trace-me`,
    ]);
    expect(output()).toMatch(/UNACKNOWLEDGED {2}2 letters of 1 order,.*\n {4}unacknowledged: the consumer died on it/);
    expect(output()).toMatch(/f-bug {2}1 letter of 1 order,.*\n {4}permanent after 1 attempt: TypeError: x/);
    await buried(6);
  });

  it('counts copies of a message as one letter, but not two messages under one id', async () => {
    const { lines, die, lose, buried, list } = await scene();
    const envelope = request('ord_1');
    const copies = encodeEnvelope(envelope);
    await die(copies);
    await lose(copies);
    await die(encodeEnvelope({ ...envelope, correlationId: 'another' }));
    await list();
    expect(lines[0]).toBe('payment: 2 letters in 3 messages of 1 order');
    await buried(3);
  });

  it('looks at no more than it was told to, and says so', async () => {
    const { lines, die, buried, list } = await scene();
    for (let i = 0; i < 12; i++) await die(encodeEnvelope(request(`ord_${i}`)));
    expect(await list(5)).toBe(2);
    expect(lines.slice(0, 2)).toEqual([
      'payment: 5 letters of 5 orders',
      '  there may be more: the look ended after 5 messages, and SQS counts about 12. --look <n> looks at more',
    ]);
    await buried(12);
  });

  it('says when somebody else has taken some', async () => {
    const { lines, die, takeLetters, list } = await scene();
    await die(encodeEnvelope(request('ord_1')));
    await takeLetters();
    expect(await list()).toBe(0);
    expect(lines).toEqual(['payment: 0 letters', '  SQS counts about 1: somebody else has taken some, or its count lags by a minute']);
  });

  it('takes a reason that somebody made up for none', async () => {
    const { output, die, buried, list } = await scene();
    for (const reason of ['null', '7', '"x"', '{}', '{', '{"fingerprint":7}']) await die(encodeEnvelope(request('ord_1')), reason);
    await list();
    expect(output()).toContain('UNACKNOWLEDGED  6 letters of 1 order');
    await buried(6);
  });
});

describe.concurrent('redriving dead letters', () => {
  it('sends each to its consumer as it was, without the reason, in its customer’s group, and deletes it', async () => {
    const { calls, output, die, delivered, buried, redrive } = await scene();
    const envelope = request('ord_1');
    const body = encodeEnvelope(envelope);
    await die(body);
    expect(await redrive()).toBe(0);
    expect(output()).toContain(
      `${envelope.messageId}  StockReleaseRequested  ord_1  redriven\n1 letter went back to payment, 0 could not.`,
    );
    const [message, ...others] = await delivered();
    expect(others).toEqual([]);
    expect(message).toMatchObject({ Body: body, MessageAttributes: { type: { StringValue: 'StockReleaseRequested' } } });
    expect(Object.keys(message!.MessageAttributes!)).toEqual(['type']);
    const sent = calls.filter((command) => command instanceof SendMessageCommand).map(({ input }): SendMessageCommandInput => input);
    expect(sent).toMatchObject([{ MessageGroupId: envelope.groupId }]);
    await buried(0);
  });

  it('does nothing without --yes, and says what it would do', async () => {
    const { lines, output, die, lose, delivered, buried, redrive } = await scene();
    const body = encodeEnvelope(request('ord_1'));
    await die(body);
    await lose('not JSON');
    expect(await redrive({}, { yes: false })).toBe(0);
    expect(output()).toContain(
      `${idOf(body)}  StockReleaseRequested  ord_1  would go back\n1 letter would go back to payment. Left: 1 that hold no message`,
    );
    expect(lines.at(-1)).toBe('Nothing was done. Add --yes to do it.');
    expect(await delivered()).toEqual([]);
    await buried(2);
  });

  it('sends one of a message’s copies and deletes the others', async () => {
    const { output, die, lose, delivered, buried, redrive } = await scene();
    const body = encodeEnvelope(request('ord_1'));
    await die(body);
    await lose(body);
    await die(body);
    expect(await redrive()).toBe(0);
    expect(output()).toContain('redriven, and its 2 copies deleted');
    expect(bodies(await delivered())).toEqual([body]);
    await buried(0);
  });

  it.each<[string, (letters: readonly string[]) => Selection, readonly number[]]>([
    ['a cause', () => ({ fingerprint: 'f-503' }), [0, 1]],
    ['a message', (letters) => ({ message: idOf(letters[1]!) }), [1]],
    ['an order', () => ({ order: 'ord_b' }), [1, 2]],
    ['an order and a cause', () => ({ order: 'ord_b', fingerprint: 'f-503' }), [1]],
    ['so many, the longest dead first', () => ({ limit: 2 }), [0, 2]],
    ['nothing that is there', () => ({ order: 'ord_z' }), []],
  ])('sends only what was selected: %s', async (_what, selection, expected) => {
    const { die, delivered, buried, redrive } = await scene();
    const letters = ['ord_a', 'ord_b', 'ord_b'].map((order) => encodeEnvelope(request(order)));
    await die(letters[0]!, aReason({ firstFailedAt: 1000 }));
    await die(letters[1]!, aReason({ firstFailedAt: 3000 }));
    await die(letters[2]!, aReason({ firstFailedAt: 2000, fingerprint: 'f-bug' }));
    expect(await redrive(selection(letters))).toBe(0);
    expect(bodies(await delivered())).toEqual(expected.map((i) => letters[i]).toSorted());
    expect(bodies(await buried(3 - expected.length))).toEqual(letters.filter((_, i) => !expected.includes(i)).toSorted());
  });

  it('leaves what is no message where it lies, unless its cause or its id is named', async () => {
    const { lines, output, die, delivered, buried, redrive } = await scene();
    await die('not JSON', aReason({ fingerprint: 'f-poison' }));
    await die('{"messageId":7}', aReason({ fingerprint: 'f-other' }));
    expect(await redrive()).toBe(0);
    expect(lines.at(-1)).toContain('0 letters went back to payment, 0 could not. Left: 2 that hold no message');
    expect(await delivered()).toEqual([]);
    await vi.waitFor(async () => expect((await redrive({ fingerprint: 'f-poison' }), output())).toContain('1 letter went back'), {
      timeout: 10_000,
    });
    expect(bodies(await delivered())).toEqual(['not JSON']);
    expect(bodies(await buried(1))).toEqual(['{"messageId":7}']);
  });

  it('keeps and names what the queue refuses, and goes on with the others', async () => {
    const { lines, output, trouble, die, delivered, buried, redrive } = await scene();
    const letters = ['ord_a', 'ord_b', 'ord_c'].map((order) => encodeEnvelope(request(order)));
    for (const letter of letters) await die(letter);
    trouble.with = (command) => command instanceof SendMessageCommand && command.input.MessageBody === letters[1];
    expect(await redrive()).toBe(2);
    expect(output()).toContain(`${idOf(letters[1]!)}  StockReleaseRequested  ord_b  KEPT: Error: not this one`);
    expect(lines.at(-1)).toBe('2 letters went back to payment, 1 could not.');
    expect(bodies(await delivered())).toEqual([letters[0]!, letters[2]!].toSorted());
    expect(bodies(await buried(1))).toEqual([letters[1]]);
  });

  it('that ends between sending and deleting leaves the letter, and says that it was sent', async () => {
    const { output, trouble, die, delivered, buried, redrive } = await scene();
    const body = encodeEnvelope(request('ord_1'));
    await die(body);
    trouble.with = (command) => command instanceof DeleteMessageCommand;
    expect(await redrive()).toBe(2);
    expect(output()).toContain('sent, but not deleted; sent again, it changes nothing: Error: not this one');
    expect(bodies(await delivered())).toEqual([body]);
    expect(bodies(await buried(1))).toEqual([body]);
  });

  it('says when it did not look at everything', async () => {
    const { output, die, buried, redrive } = await scene();
    for (let i = 0; i < 4; i++) await die(encodeEnvelope(request(`ord_${i}`)));
    expect(await redrive({}, { look: 3 })).toBe(2);
    expect(output()).toContain('there may be more: the look ended after 3 messages');
    await buried(1);
  });
});

it('finds every consumer’s queues in the stack’s outputs', () => {
  const outputs = {
    ApiUrl: 'a',
    OrderSagaQueueUrl: 'q1',
    OrderSagaDeadLetterQueueUrl: 'd1',
    PaymentQueueUrl: 'q2',
    PaymentDeadLetterQueueUrl: 'd2',
    LostDeadLetterQueueUrl: 'd3',
  };
  expect(consumersOf(outputs)).toEqual([
    { consumer: 'order-saga', queueUrl: 'q1', deadLetterQueueUrl: 'd1' },
    { consumer: 'payment', queueUrl: 'q2', deadLetterQueueUrl: 'd2' },
  ]);
});
