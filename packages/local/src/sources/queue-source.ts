import type { Caller } from '@outbox-saga/emulator/call';
import type { FaultBoard } from '../faults.ts';
import type { FunctionPool } from '../functions/pool.ts';

/** An event source mapping from a queue, resolved. */
export interface QueueSourceOptions {
  readonly call: Caller;
  readonly queueUrl: string;
  readonly queueArn: string;
  /** Whether the queue goes on when the runtime stops, as one behind an endpoint that the user named. */
  readonly outlives: boolean;
  readonly batchSize: number;
  readonly batchWindowSeconds: number;
  readonly maximumConcurrency: number;
  readonly reportBatchItemFailures: boolean;
  readonly pool: Pick<FunctionPool, 'concurrency' | 'vacancy' | 'invoke'> & { readonly fn: { readonly name: string } };
  readonly faults: FaultBoard;
  readonly onProblem: (what: string) => void;
}

interface ReceivedMessage {
  readonly MessageId: string;
  readonly ReceiptHandle: string;
  readonly Body: string;
  readonly MD5OfBody: string;
  readonly Attributes: Record<string, string>;
  readonly MessageAttributes?: Record<string, { StringValue?: string; BinaryValue?: string; DataType: string }>;
}

const outagePollMs = 100;
/** Long polls. Where the queue outlives the runtime, a stop waits for the one under way. */
const pollSeconds = 10;
const outlivedPollSeconds = 1;
const pause = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Feeds a function from a queue as Lambda's pollers do: receive, invoke, delete what succeeded, leave the rest to its visibility timeout. */
export class QueueSource {
  readonly #options: QueueSourceOptions;
  readonly #inHand = new Set<ReceivedMessage>();
  readonly #polling: Promise<void>;
  #running = 0;
  #stopped = false;
  #wake: (() => void) | undefined;

  constructor(options: QueueSourceOptions) {
    this.#options = options;
    this.#polling = this.#poll();
  }

  /**
   * Receives no more. A receive under way is not aborted: the queue would give the next message to nobody, until its visibility timeout. A queue
   * that goes on gets back what is in hand, so that the next runtime need not wait either.
   */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#wake?.();
    if (!this.#options.outlives) return;
    await this.#polling;
    await Promise.all([...this.#inHand].map((message) => this.#putBack(message).catch(() => undefined)));
  }

  async #poll(): Promise<void> {
    const { pool, maximumConcurrency, faults } = this.#options;
    const most = Math.min(maximumConcurrency, pool.concurrency);
    while (!this.#stopped) {
      if (faults.of(pool.fn.name).outage) {
        await pause(outagePollMs);
        continue;
      }
      if (this.#running >= most) {
        await new Promise<void>((resolve) => (this.#wake = resolve));
        continue;
      }
      // Until then messages gather in the queue, into fuller batches.
      await pool.vacancy();
      try {
        const messages = await this.#holdBack(await this.#receive());
        if (messages.length === 0) continue;
        for (const message of messages) this.#inHand.add(message);
        if (this.#stopped) return;
        this.#running++;
        void this.#handle(messages).finally(() => {
          this.#running--;
          for (const message of messages) this.#inHand.delete(message);
          this.#wake?.();
        });
      } catch (error) {
        if (this.#stopped) return;
        this.#options.onProblem(`receiving from ${this.#options.queueUrl}: ${(error as Error).message}`);
        await pause(500);
      }
    }
  }

  async #receive(): Promise<ReceivedMessage[]> {
    const { call, queueUrl, batchSize, batchWindowSeconds, outlives } = this.#options;
    const receive = async (most: number, waitSeconds: number): Promise<ReceivedMessage[]> => {
      const { Messages = [] } = await call('AmazonSQS.ReceiveMessage', {
        QueueUrl: queueUrl,
        MaxNumberOfMessages: Math.min(10, most),
        WaitTimeSeconds: waitSeconds,
        MessageSystemAttributeNames: ['All'],
        MessageAttributeNames: ['All'],
      });
      return Messages as ReceivedMessage[];
    };
    const messages = await receive(batchSize, outlives ? outlivedPollSeconds : pollSeconds);
    const deadline = Date.now() + batchWindowSeconds * 1000;
    while (messages.length > 0 && messages.length < batchSize && Date.now() < deadline && !this.#stopped) {
      messages.push(...(await receive(batchSize - messages.length, 1)));
    }
    return messages;
  }

  /** Faults: messages are put back for a second; some, so that later ones overtake them, or all that came while an outage began. */
  async #holdBack(messages: ReceivedMessage[]): Promise<ReceivedMessage[]> {
    const { pool, faults } = this.#options;
    const { name } = pool.fn;
    const held = messages.filter(() => faults.of(name).outage || faults.strikes(name, 'reorderRate'));
    for (const message of held) await this.#putBack(message);
    return messages.filter((message) => !held.includes(message));
  }

  /** In a second: 0 loses a message in one of the emulators. */
  async #putBack({ ReceiptHandle }: ReceivedMessage): Promise<void> {
    const { call, queueUrl } = this.#options;
    await call('AmazonSQS.ChangeMessageVisibility', { QueueUrl: queueUrl, ReceiptHandle, VisibilityTimeout: 1 });
  }

  async #handle(messages: ReceivedMessage[]): Promise<void> {
    const { call, queueUrl, queueArn, pool, faults, reportBatchItemFailures, onProblem } = this.#options;
    const event = { Records: messages.map((message) => recordOf(message, queueArn)) };
    if (faults.strikes(pool.fn.name, 'duplicateRate')) void pool.invoke(event);
    const result = await pool.invoke(event);
    if (!result.ok) {
      onProblem(`${pool.fn.name} failed on ${messages.length} message(s): ${result.errorType}: ${result.errorMessage}`);
      return;
    }
    const failed = reportBatchItemFailures ? failedIds(result.payload, messages) : new Set<string>();
    const done = messages.filter((message) => !failed.has(message.MessageId));
    if (done.length === 0 || this.#stopped) return;
    try {
      await call('AmazonSQS.DeleteMessageBatch', {
        QueueUrl: queueUrl,
        Entries: done.map(({ ReceiptHandle }, i) => ({ Id: String(i), ReceiptHandle })),
      });
    } catch (error) {
      onProblem(`deleting from ${queueUrl}: ${(error as Error).message}`);
    }
  }
}

/** A null or missing answer is a success; an identifier that is empty or unknown fails the whole batch, as on AWS. */
function failedIds(payload: unknown, messages: readonly ReceivedMessage[]): Set<string> {
  const failures = (payload as { batchItemFailures?: { itemIdentifier?: string }[] } | null)?.batchItemFailures ?? [];
  const known = new Set(messages.map((message) => message.MessageId));
  const ids = failures.map((failure) => failure.itemIdentifier ?? '');
  return ids.every((id) => known.has(id)) ? new Set(ids) : known;
}

function recordOf(message: ReceivedMessage, queueArn: string): unknown {
  return {
    messageId: message.MessageId,
    receiptHandle: message.ReceiptHandle,
    body: message.Body,
    attributes: message.Attributes,
    messageAttributes: Object.fromEntries(
      Object.entries(message.MessageAttributes ?? {}).map(([name, { StringValue, BinaryValue, DataType }]) => [
        name,
        { stringValue: StringValue, binaryValue: BinaryValue, stringListValues: [], binaryListValues: [], dataType: DataType },
      ]),
    ),
    md5OfBody: message.MD5OfBody,
    eventSource: 'aws:sqs',
    eventSourceARN: queueArn,
    awsRegion: 'us-east-1',
  };
}
