import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

interface Shard {
  readonly id: string;
  readonly parent: string | undefined;
  closed: boolean;
  /** Sequence numbers, oldest first. */
  readonly records: bigint[];
}

/** AWS writes sequence numbers in 21 to 40 digits, with leading zeros, and takes no others back. */
const sequenceText = (sequence: bigint | number): string => String(sequence).padStart(21, '0');

/** DynamoDB Streams with the rules that lenient emulators leave out: lengths, closed shards, trimmed records, iterators that expire, lists in pages. */
export class StreamService {
  static readonly arn = 'arn:aws:dynamodb:us-east-1:000000000000:table/t/stream/1';
  readonly #server: Server;
  readonly #shards = new Map<string, Shard>();
  readonly #iterators = new Map<string, { readonly shard: Shard; readonly next: number }>();
  #made = 0;
  /** Operation → how often it was called. */
  readonly calls: Record<string, number> = {};
  /** Answers these with an error instead, once each. */
  readonly failures: { readonly operation: string; readonly code: string }[] = [];

  private constructor() {
    this.#server = createServer((request, response) => {
      let body = '';
      request.on('data', (chunk: Buffer) => (body += chunk.toString()));
      request.on('end', () => {
        const operation = String(request.headers['x-amz-target']).replace('DynamoDBStreams_20120810.', '');
        const { status, answer } = this.#answer(operation, JSON.parse(body) as Record<string, unknown>);
        response.writeHead(status, { 'content-type': 'application/x-amz-json-1.0' }).end(JSON.stringify(answer));
      });
    });
  }

  static async start(): Promise<StreamService> {
    const service = new StreamService();
    await new Promise<void>((resolve) => service.#server.listen(0, '127.0.0.1', resolve));
    return service;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  stop(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  open(id: string, parent?: string): void {
    this.#shards.set(id, { id, parent, closed: false, records: [] });
  }

  /** Its iterators end behind its last record. */
  close(id: string): void {
    this.#shard(id).closed = true;
  }

  append(id: string, ...sequences: number[]): void {
    this.#shard(id).records.push(...sequences.map(BigInt));
  }

  /** After a day: records are gone up to this one, or the whole shard. */
  trim(id: string, upTo?: number): void {
    const shard = this.#shard(id);
    if (upTo === undefined) this.#shards.delete(id);
    else shard.records.splice(0, shard.records.filter((sequence) => sequence <= upTo).length);
    this.expireIterators();
  }

  /** After 15 minutes. */
  expireIterators(): void {
    this.#iterators.clear();
  }

  #shard(id: string): Shard {
    const shard = this.#shards.get(id);
    if (!shard) throw new Error(`no shard ${id}`);
    return shard;
  }

  #answer(operation: string, body: Record<string, unknown>): { status: number; answer: unknown } {
    this.calls[operation] = (this.calls[operation] ?? 0) + 1;
    const planned = this.failures.findIndex((failure) => failure.operation === operation);
    if (planned >= 0) return refusal(this.failures.splice(planned, 1)[0]!.code, 'as planned');
    try {
      switch (operation) {
        case 'ListStreams':
          return { status: 200, answer: { Streams: [{ StreamArn: StreamService.arn }] } };
        case 'DescribeStream':
          return { status: 200, answer: this.#describe(body) };
        case 'GetShardIterator':
          return { status: 200, answer: { ShardIterator: this.#iterator(body) } };
        case 'GetRecords':
          return { status: 200, answer: this.#records(body) };
        default:
          return refusal('UnknownOperationException', operation);
      }
    } catch (error) {
      if (error instanceof Refusal) return refusal(error.code, error.message);
      throw error;
    }
  }

  /** One shard a page. */
  #describe({ StreamArn, ExclusiveStartShardId }: Record<string, unknown>): unknown {
    if (StreamArn !== StreamService.arn) throw new Refusal('ResourceNotFoundException', String(StreamArn));
    const all = [...this.#shards.values()];
    const first = ExclusiveStartShardId === undefined ? 0 : all.findIndex(({ id }) => id === ExclusiveStartShardId) + 1;
    const shards = all.slice(first, first + 1);
    return {
      StreamDescription: {
        StreamArn,
        Shards: shards.map(({ id, parent }) => ({ ShardId: id, ...(parent === undefined ? {} : { ParentShardId: parent }) })),
        ...(first + 1 < all.length ? { LastEvaluatedShardId: shards.at(-1)!.id } : {}),
      },
    };
  }

  #iterator({ ShardId, ShardIteratorType, SequenceNumber }: Record<string, unknown>): string {
    const shard = this.#shards.get(String(ShardId));
    if (!shard) throw new Refusal('ResourceNotFoundException', `shard ${String(ShardId)}`);
    if (ShardIteratorType === 'TRIM_HORIZON') return this.#issue(shard, 0);
    if (ShardIteratorType !== 'AFTER_SEQUENCE_NUMBER') throw new Refusal('ValidationException', String(ShardIteratorType));
    if (typeof SequenceNumber !== 'string' || !/^\d{21,40}$/.test(SequenceNumber)) {
      throw new Refusal('ValidationException', `SequenceNumber ${String(SequenceNumber)}: must have length greater than or equal to 21`);
    }
    const at = shard.records.indexOf(BigInt(SequenceNumber));
    if (at === -1) throw new Refusal('TrimmedDataAccessException', `sequence number ${SequenceNumber} is beyond the trim horizon`);
    return this.#issue(shard, at + 1);
  }

  #records({ ShardIterator, Limit = 1000 }: Record<string, unknown>): unknown {
    if (Number(Limit) > 1000) throw new Refusal('ValidationException', `Limit ${String(Limit)}`);
    const iterator = this.#iterators.get(String(ShardIterator));
    if (!iterator) throw new Refusal('ExpiredIteratorException', 'the iterator has expired');
    const { shard, next } = iterator;
    const sequences = shard.records.slice(next, next + Number(Limit));
    const ended = shard.closed && next + sequences.length >= shard.records.length;
    return {
      Records: sequences.map((sequence) => ({
        eventID: `${shard.id}-${sequence}`,
        eventName: 'INSERT',
        dynamodb: {
          Keys: { id: { S: String(sequence) } },
          SequenceNumber: sequenceText(sequence),
          ApproximateCreationDateTime: Math.floor(Date.now() / 1000),
        },
      })),
      ...(ended ? {} : { NextShardIterator: this.#issue(shard, next + sequences.length) }),
    };
  }

  #issue(shard: Shard, next: number): string {
    const name = `iterator-${this.#made++}`;
    this.#iterators.set(name, { shard, next });
    return name;
  }
}

class Refusal extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

function refusal(code: string, message: string): { status: number; answer: unknown } {
  return { status: 400, answer: { __type: `com.amazonaws.dynamodb.v20120810#${code}`, message } };
}
