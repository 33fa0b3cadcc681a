import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';
import type { SQSClient } from '@aws-sdk/client-sqs';
import type { Item } from '@outbox-saga/emulator/dynamodb/values';
import { writeItem } from '@outbox-saga/emulator/dynamodb/wire';
import type { MessageAttributes } from '@outbox-saga/emulator/sqs/message';
import { callOf, type Call } from './database.ts';

type Answer = Record<string, unknown>;

/**
 * Both clients of DynamoDB over one function that runs calls: the document client for the stores and the plain one for
 * Powertools, which recognises a client by its middleware stack.
 */
export function databasePorts(run: (call: Call) => Promise<Answer>): { client: DynamoDBClient; database: DynamoDBDocumentClient } {
  const send = async (command: object): Promise<Answer> => {
    const call = callOf(command);
    const answer = await run(call);
    if (!call.typed) return answer;
    const typed = { ...answer };
    for (const field of ['Item', 'Attributes']) if (answer[field]) typed[field] = writeItem(answer[field] as Item);
    return typed;
  };
  const client = {
    send,
    config: { serviceId: 'DynamoDB' },
    // Powertools adds its user agent unless it finds that it did.
    middlewareStack: { identify: () => ['addPowertoolsToUserAgent: POWERTOOLS,USER_AGENT'], addRelativeTo: () => undefined },
    destroy: () => undefined,
  };
  return { client: client as unknown as DynamoDBClient, database: client as unknown as DynamoDBDocumentClient };
}

type Entry = {
  readonly Id: string;
  readonly MessageBody: string;
  readonly MessageGroupId?: string;
  readonly MessageAttributes?: MessageAttributes;
};

/** What the product says to SQS, as far as the simulation looks into it. */
export type QueueInput = Partial<Entry> & {
  readonly QueueUrl: string;
  readonly ReceiptHandle?: string;
  readonly Entries?: readonly Entry[];
};

export interface QueueCall {
  readonly operation: string;
  readonly input: QueueInput;
}

/** The client of SQS over one function that runs calls. */
export function queuePort(run: (call: QueueCall) => Promise<Answer>): SQSClient {
  const send = (command: object): Promise<unknown> =>
    run({ operation: command.constructor.name.replace('Command', ''), input: (command as { input: QueueInput }).input });
  return { send, destroy: () => undefined } as unknown as SQSClient;
}
