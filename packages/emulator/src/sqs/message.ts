import { createHash } from 'node:crypto';
import { AwsError } from '../aws-error.ts';
import { invalidParameter, invalidValue } from './errors.ts';
import type { Placed } from './heap.ts';
import { recordOf, textOf, type Input } from './input.ts';

export interface MessageAttribute {
  readonly DataType: string;
  readonly StringValue?: string;
  /** In base64. */
  readonly BinaryValue?: string;
}
export type MessageAttributes = Readonly<Record<string, MessageAttribute>>;

/** What a message is to its sender. */
export interface Content {
  readonly body: string;
  readonly attributes: MessageAttributes;
  readonly traceHeader: string | undefined;
  readonly groupId: string | undefined;
}

/** A message in a queue. Times in milliseconds since 1970. */
export interface Message extends Content, Placed {
  readonly id: string;
  /** Grows with each message that any queue takes. */
  readonly order: number;
  readonly sentAt: number;
  /** The queue that SQS itself moved it from. */
  readonly sourceArn: string | undefined;
  visibleAt: number;
  receives: number;
  firstReceivedAt: number | undefined;
  /** When whoever has it in hand received it. */
  receivedAt: number | undefined;
  state: 'visible' | 'in flight' | 'delayed';
}

export const maxBytes = 1_048_576;
const maxAttributes = 10;
/** Tab, line feed, carriage return and what XML 1.0 calls a character. */
const allowed = /^[\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]*$/u;
const namePattern = /^(?!aws\.|amazon\.|\.)(?!.*\.\.)[\w.-]{1,256}(?<!\.)$/i;
const typePattern = /^(String|Number|Binary)(\..+)?$/;
const numberPattern = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/;
const groupPattern = /^[\w!"#$%&'()*+,./:;<=>?@[\\\]^`{|}~-]{1,128}$/;

export function sizeOf({ body, attributes }: Content): number {
  let bytes = Buffer.byteLength(body);
  for (const [name, { DataType, StringValue, BinaryValue }] of Object.entries(attributes))
    bytes += Buffer.byteLength(name) + Buffer.byteLength(DataType) + valueBytes(StringValue, BinaryValue);
  return bytes;
}

const valueBytes = (text: string | undefined, base64: string | undefined): number =>
  text === undefined ? Buffer.byteLength(base64 ?? '', 'base64') : Buffer.byteLength(text);

/** @param maximum bytes of a message of this queue */
export function checkContent(content: Content, maximum: number): void {
  const { body, attributes, groupId } = content;
  if (!allowed.test(body)) throw badCharacters();
  const names = Object.keys(attributes);
  if (names.length > maxAttributes)
    throw invalidParameter(`Number of message attributes [${names.length}] exceeds the allowed maximum [${maxAttributes}].`);
  for (const name of names) checkAttribute(name, attributes[name]!);
  if (groupId !== undefined && !groupPattern.test(groupId))
    throw invalidValue(
      groupId,
      'MessageGroupId',
      'MessageGroupId can only include alphanumeric and punctuation characters. 1 to 128 in length.',
    );
  if (sizeOf(content) > maximum)
    throw invalidParameter(`One or more parameters are invalid. Reason: Message must be shorter than ${maximum} bytes.`);
}

const badCharacters = (): AwsError =>
  new AwsError(
    'InvalidMessageContents',
    'Invalid characters found. Valid unicode characters are #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF',
  );

function checkAttribute(name: string, { DataType, StringValue, BinaryValue }: MessageAttribute): void {
  if (!namePattern.test(name))
    throw invalidParameter(
      `Message (user) attribute name '${name}' is invalid. A name can contain up to 256 of A-Z, a-z, 0-9, underscores, hyphens and ` +
        'periods, must not start with AWS. or Amazon., and must not start or end with a period or have two in a row.',
    );
  const type = typePattern.exec(DataType)?.[1];
  if (type === undefined || DataType.length > 256)
    throw invalidParameter(
      `The message attribute '${name}' has an invalid message attribute type, ` +
        'the set of supported type prefixes is Binary, Number, and String.',
    );
  if (StringValue !== undefined && BinaryValue !== undefined)
    throw invalidParameter(`Message (user) attribute '${name}' has multiple values.`);
  const field = type === 'Binary' ? 'Binary' : 'String';
  const [value, other] = type === 'Binary' ? [BinaryValue, StringValue] : [StringValue, BinaryValue];
  if (!value && other) throw invalidParameter(`The message attribute '${name}' with type '${type}' must use field '${field}'.`);
  if (!value) throw invalidParameter(`Message (user) attribute '${name}' must contain a non-empty value of type '${field}'.`);
  if (type === 'Binary') return;
  if (!allowed.test(value)) throw badCharacters();
  if (type === 'Number' && !numberPattern.test(value))
    throw invalidParameter(`Can't cast the value of message (user) attribute '${name}' to a number.`);
}

/** What a sender says: of `SendMessage`, or of one entry of a batch. */
export function contentOf(input: Input, body: string): Content {
  if (textOf(input, 'MessageDeduplicationId') !== undefined)
    throw invalidValue(
      input['MessageDeduplicationId'],
      'MessageDeduplicationId',
      'The request includes a parameter that is not valid for this queue type.',
    );
  const system = recordOf(input, 'MessageSystemAttributes');
  for (const name of Object.keys(system))
    if (name !== 'AWSTraceHeader') throw invalidParameter(`Message system attribute name '${name}' is invalid.`);
  return {
    body,
    attributes: attributesOf(input),
    traceHeader: system['AWSTraceHeader'] === undefined ? undefined : textOf(recordOf(system, 'AWSTraceHeader'), 'StringValue'),
    groupId: textOf(input, 'MessageGroupId'),
  };
}

const none: MessageAttributes = {};

function attributesOf(input: Input): MessageAttributes {
  const given = recordOf(input, 'MessageAttributes');
  const names = Object.keys(given);
  if (names.length === 0) return none;
  return Object.fromEntries(
    names.map((name) => {
      const attribute = recordOf(given, name);
      const [StringValue, BinaryValue] = [textOf(attribute, 'StringValue'), textOf(attribute, 'BinaryValue')];
      return [
        name,
        {
          DataType: textOf(attribute, 'DataType') ?? '',
          ...(StringValue === undefined ? {} : { StringValue }),
          ...(BinaryValue === undefined ? {} : { BinaryValue }),
        },
      ];
    }),
  );
}

export const digestOf = (text: string): string => createHash('md5').update(text).digest('hex');

/** The checksum that SDKs compare with their own: of each attribute, by name, its name, type and value, each after its length. */
export function digestOfAttributes(attributes: MessageAttributes): string | undefined {
  const names = Object.keys(attributes).sort((a, b) => (a < b ? -1 : 1));
  if (names.length === 0) return undefined;
  const hash = createHash('md5');
  const add = (bytes: Buffer): void => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes.length);
    hash.update(length).update(bytes);
  };
  for (const name of names) {
    const { DataType, StringValue, BinaryValue } = attributes[name]!;
    add(Buffer.from(name));
    add(Buffer.from(DataType));
    hash.update(Buffer.of(StringValue === undefined ? 2 : 1));
    add(StringValue === undefined ? Buffer.from(BinaryValue ?? '', 'base64') : Buffer.from(StringValue));
  }
  return hash.digest('hex');
}
