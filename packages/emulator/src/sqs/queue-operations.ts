import { AwsError } from '../aws-error.ts';
import { checkAttributes, checkName, computed, defaults, isAttribute, type QueueAttributes, type RedrivePolicy } from './attributes.ts';
import type { Directory } from './directory.ts';
import { invalidParameter, invalidValue, noSuchQueue, unknownAttribute } from './errors.ts';
import { integerOf, requiredText, textMapOf, textOf, textsOf, type Input } from './input.ts';
import type { Queue } from './queue.ts';

type Output = Record<string, unknown>;

const maxPage = 1000;
const maxTags = 50;
const deletedForMs = 60_000;
const purgeEveryMs = 60_000;
const seconds = (milliseconds: number): string => String(Math.floor(milliseconds / 1000));

/** What SQS does with queues as such. */
export class QueueOperations {
  readonly #directory: Directory;

  constructor(directory: Directory) {
    this.#directory = directory;
  }

  createQueue(input: Input): Output {
    const name = requiredText(input, 'QueueName');
    const { FifoQueue, ...given } = textMapOf(input, 'Attributes');
    const tags = textMapOf(input, 'tags');
    if (name.endsWith('.fifo') || FifoQueue === 'true')
      throw new AwsError('UnsupportedOperation', `FIFO queues are not supported here: ${name} can only be a standard queue.`);
    checkName(name);
    if (FifoQueue !== undefined) throw unknownAttribute('FifoQueue');
    const attributes = this.#checked(given);
    const existing = this.#directory.named(name);
    if (existing) {
      for (const [attribute, value] of Object.entries(attributes))
        if (value !== (existing.attributes[attribute] ?? defaults[attribute] ?? ''))
          throw new AwsError(
            'QueueNameExists',
            `A queue already exists with the same name and a different value for attribute ${attribute}`,
          );
      return { QueueUrl: this.#directory.urlOf(existing) };
    }
    const { now } = this.#directory;
    if (now - this.#directory.deletedAt(name) < deletedForMs)
      throw new AwsError(
        'QueueDeletedRecently',
        'You must wait 60 seconds after deleting a queue before you can create another with the same name.',
      );
    checkTags(name, tags);
    return {
      QueueUrl: this.#directory.urlOf(
        this.#directory.put({ name, attributes: withoutEmpty(attributes), tags, createdAt: now, modifiedAt: now }),
      ),
    };
  }

  deleteQueue(input: Input): Output {
    this.#directory.delete(this.#directory.of(input));
    return {};
  }

  listQueues(input: Input): Output {
    const prefix = textOf(input, 'QueueNamePrefix') ?? '';
    const { urls, next } = this.#page(
      input,
      this.#directory.all.filter(({ name }) => name.startsWith(prefix)),
    );
    return { ...(urls.length > 0 ? { QueueUrls: urls } : {}), ...next };
  }

  listDeadLetterSourceQueues(input: Input): Output {
    const { arn } = this.#directory.of(input);
    const { urls, next } = this.#page(
      input,
      this.#directory.all.filter(({ redrive }) => redrive?.deadLetterTargetArn === arn),
    );
    return { queueUrls: urls, ...next };
  }

  getQueueUrl(input: Input): Output {
    const queue = this.#directory.named(requiredText(input, 'QueueName'));
    const owner = textOf(input, 'QueueOwnerAWSAccountId');
    if (!queue || (owner !== undefined && owner !== this.#directory.options.account)) throw noSuchQueue();
    return { QueueUrl: this.#directory.urlOf(queue) };
  }

  getQueueAttributes(input: Input): Output {
    const queue = this.#directory.of(input);
    const names = textsOf(input, 'AttributeNames');
    for (const name of names) if (name !== 'All' && !isAttribute(name)) throw unknownAttribute(name);
    const all = names.includes('All');
    const values: Record<string, string> = {
      ...defaults,
      ...queue.attributes,
      ApproximateNumberOfMessages: String(queue.visible),
      ApproximateNumberOfMessagesDelayed: String(queue.delayed),
      ApproximateNumberOfMessagesNotVisible: String(queue.inFlight),
      CreatedTimestamp: seconds(queue.createdAt),
      LastModifiedTimestamp: seconds(queue.modifiedAt),
      QueueArn: queue.arn,
    };
    const asked = Object.entries(values).filter(([name]) => all || names.includes(name));
    return asked.length > 0 ? { Attributes: Object.fromEntries(asked) } : {};
  }

  setQueueAttributes(input: Input): Output {
    const queue = this.#directory.of(input);
    const attributes = { ...queue.attributes, ...this.#checked(textMapOf(input, 'Attributes')) };
    this.#directory.put({ ...queue.record, attributes: withoutEmpty(attributes), modifiedAt: this.#directory.now });
    return {};
  }

  purgeQueue(input: Input): Output {
    const queue = this.#directory.of(input);
    const { now } = this.#directory;
    if (now - queue.purgedAt < purgeEveryMs)
      throw new AwsError('PurgeQueueInProgress', `Only one PurgeQueue operation on ${queue.name} is allowed every 60 seconds.`);
    this.#directory.clear(queue);
    queue.purgedAt = now;
    return {};
  }

  tagQueue(input: Input): Output {
    const queue = this.#directory.of(input);
    const tags = { ...queue.tags, ...textMapOf(input, 'Tags') };
    checkTags(queue.name, tags);
    this.#directory.put({ ...queue.record, tags });
    return {};
  }

  untagQueue(input: Input): Output {
    const queue = this.#directory.of(input);
    const keys = new Set(textsOf(input, 'TagKeys'));
    const tags = Object.fromEntries(Object.entries(queue.tags).filter(([key]) => !keys.has(key)));
    this.#directory.put({ ...queue.record, tags });
    return {};
  }

  listQueueTags(input: Input): Output {
    const { tags } = this.#directory.of(input);
    return Object.keys(tags).length > 0 ? { Tags: tags } : {};
  }

  #checked(given: QueueAttributes): QueueAttributes {
    for (const name of Object.keys(given)) if (computed.has(name)) throw unknownAttribute(name);
    const attributes = checkAttributes(given);
    const policy = attributes['RedrivePolicy'];
    if (policy && !this.#directory.byArn((JSON.parse(policy) as RedrivePolicy).deadLetterTargetArn))
      throw invalidValue(given['RedrivePolicy'], 'RedrivePolicy', 'Dead letter target does not exist.');
    return attributes;
  }

  #page(input: Input, queues: readonly Queue[]): { urls: string[]; next: Output } {
    const most = integerOf(input, 'MaxResults');
    if (most !== undefined && (most < 1 || most > maxPage))
      throw invalidValue(most, 'MaxResults', `MaxResults must be an integer between 1 and ${maxPage}`);
    const after = Buffer.from(textOf(input, 'NextToken') ?? '', 'base64url').toString('utf8');
    const rest = after === '' ? queues : queues.filter(({ name }) => name > after);
    const page = rest.slice(0, most ?? maxPage);
    // Without MaxResults AWS gives the first thousand, and no token.
    const more = most !== undefined && rest.length > page.length;
    return {
      urls: page.map((queue) => this.#directory.urlOf(queue)),
      next: more ? { NextToken: Buffer.from(page.at(-1)!.name).toString('base64url') } : {},
    };
  }
}

const withoutEmpty = (attributes: QueueAttributes): QueueAttributes =>
  Object.fromEntries(Object.entries(attributes).filter(([, value]) => value !== ''));

function checkTags(name: string, tags: Readonly<Record<string, string>>): void {
  if (Object.keys(tags).length > maxTags) throw invalidParameter(`Too many tags added for queue ${name}.`);
  for (const [key, value] of Object.entries(tags)) {
    if (key === '' || key.length > 128) throw invalidValue(key, 'Tag.Key', 'A tag key has 1 to 128 characters.');
    if (value.length > 256) throw invalidValue(value, 'Tag.Value', 'A tag value has at most 256 characters.');
  }
}
