import { crc32 } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { createTable, send, uniqueName, useDynamoDb } from '../support/dynamodb-service.ts';

useDynamoDb();

const target = (operation: string) => `DynamoDB_20120810.${operation}`;
const typeOf = async (answer: Response) => ((await answer.json()) as { __type: string }).__type;

describe('an answer', () => {
  it('is JSON of version 1.0, with an id and a checksum', async () => {
    await createTable({ keys: { p: 'S' } });
    const answer = await send(target('ListTables'), '{}');
    expect(answer.status).toBe(200);
    expect(answer.headers.get('content-type')).toBe('application/x-amz-json-1.0');
    expect(answer.headers.get('x-amzn-requestid')).toMatch(/^[\w-]{20,}$/);
    const body = Buffer.from(await answer.arrayBuffer());
    // The SDK for Java checks it.
    expect(answer.headers.get('x-amz-crc32')).toBe(String(crc32(body)));
  });

  it.each([
    ['GetItem', { TableName: uniqueName('missing'), Key: { p: { S: 'a' } } }, 'com.amazonaws.dynamodb.v20120810#ResourceNotFoundException'],
    ['GetItem', {}, 'com.amazon.coral.validate#ValidationException'],
  ])('to a bad %s of %j has the full name of its error', async (operation, input, type) => {
    const answer = await send(target(operation), JSON.stringify(input));
    expect(answer.status).toBe(400);
    expect(answer.headers.get('content-type')).toBe('application/x-amz-json-1.0');
    expect(await typeOf(answer)).toBe(type);
  });

  it('takes text beyond ASCII as UTF-8', async () => {
    const TableName = await createTable({ keys: { p: 'S' } });
    const Item = { p: { S: 'Größe 😀' } };
    await send(target('PutItem'), JSON.stringify({ TableName, Item }));
    const answer = await send(target('GetItem'), JSON.stringify({ TableName, Key: Item }));
    expect(await answer.json()).toEqual({ Item });
  });
});

describe('a request', () => {
  it.each(['{', '', '[]', '{"TableName":5}', '{"TableName":"abc","Key":[]}', '{"TableName":"abc","Key":{"p":"a"}}'])(
    'of %j is none',
    async (body) => {
      const answer = await send(target('GetItem'), body);
      expect(answer.status).toBe(400);
      expect(await typeOf(answer)).toMatch(/#SerializationException$/);
    },
  );

  it.each(['', 'DynamoDB_20120810', 'DynamoDB_20120810.', 'DynamoDB_20120810.getItem', 'Other.GetItem'])('to %j is unknown', async (to) => {
    const answer = await send(to, '{}');
    expect(answer.status).toBe(400);
    expect(await typeOf(answer)).toMatch(/#UnknownOperationException$/);
  });
});
