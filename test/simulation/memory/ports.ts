import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { marshall } from '@aws-sdk/util-dynamodb';
import type { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';
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
    for (const field of ['Item', 'Attributes']) if (answer[field]) typed[field] = marshall(answer[field]);
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
