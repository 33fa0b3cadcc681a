import { callService } from '../emulators/call.ts';
import type { FaultBoard } from '../faults.ts';
import type { FunctionPool } from '../functions/pool.ts';

/** An event source mapping from a queue, resolved. */
export interface QueueSourceOptions {
  readonly endpoint: string;
  readonly queueUrl: string;
  readonly queueArn: string;
  readonly batchSize: number;
  readonly batchWindowSeconds: number;
  readonly maximumConcurrency: number;
  readonly reportBatchItemFailures: boolean;
  readonly pool: FunctionPool;
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
const pause = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Feeds a function from a queue as Lambda's pollers do: receive, invoke, delete what succeeded, leave the rest to its visibility timeout. */
export class QueueSource {
  readonly #options: QueueSourceOptions;
  #running = 0;
  #stopped = false;
  #wake: (() => void) | undefined;

  constructor(options: QueueSourceOptions) {
    this.#options = options;
    void this.#poll();
  }

  /** Receives no more. A receive under way is not aborted: the emulator would give the next message to nobody. */
  stop(): void {
    this.#stopped = true;
    this.#wake?.();
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
      try {
        const messages = await this.#holdBack(await this.#receive());
        if (messages.length === 0) continue;
        this.#running++;
        void this.#handle(messages).finally(() => {
          this.#running--;
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
    const { endpoint, queueUrl, batchSize, batchWindowSeconds } = this.#options;
    const receive = async (most: number, waitSeconds: number): Promise<ReceivedMessage[]> => {
      const { Messages = [] } = await callService(endpoint, 'AmazonSQS.ReceiveMessage', {
        QueueUrl: queueUrl,
        MaxNumberOfMessages: Math.min(10, most),
        WaitTimeSeconds: waitSeconds,
        MessageSystemAttributeNames: ['All'],
        MessageAttributeNames: ['All'],
      });
      return Messages as ReceivedMessage[];
    };
    const messages = await receive(batchSize, 10);
    const deadline = Date.now() + batchWindowSeconds * 1000;
    while (messages.length > 0 && messages.length < batchSize && Date.now() < deadline && !this.#stopped) {
      messages.push(...(await receive(batchSize - messages.length, 1)));
    }
    return messages;
  }

  /** Faults: messages are put back for a second; some, so that later ones overtake them, or all that came while an outage began. */
  async #holdBack(messages: ReceivedMessage[]): Promise<ReceivedMessage[]> {
    const { endpoint, queueUrl, pool, faults } = this.#options;
    const { name } = pool.fn;
    const held = messages.filter(() => faults.of(name).outage || faults.strikes(name, 'reorderRate'));
    for (const { ReceiptHandle } of held) {
      await callService(endpoint, 'AmazonSQS.ChangeMessageVisibility', { QueueUrl: queueUrl, ReceiptHandle, VisibilityTimeout: 1 });
    }
    return messages.filter((message) => !held.includes(message));
  }

  async #handle(messages: ReceivedMessage[]): Promise<void> {
    const { endpoint, queueUrl, queueArn, pool, faults, reportBatchItemFailures, onProblem } = this.#options;
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
      await callService(endpoint, 'AmazonSQS.DeleteMessageBatch', {
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
