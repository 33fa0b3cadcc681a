import { createHash } from 'node:crypto';
import type { Change } from './engine.ts';
import { keyNames, pick, type StreamView } from './schema.ts';
import { isEqual, itemBytes, type Item } from './values.ts';
import { writeItem } from './wire.ts';

/** A change as it is kept in the log of a stream, in the form that AWS answers, without what reading it adds. */
export interface LoggedChange {
  readonly eventName: 'INSERT' | 'MODIFY' | 'REMOVE';
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly view: StreamView;
  readonly keys: unknown;
  readonly newImage?: unknown;
  readonly oldImage?: unknown;
  readonly bytes: number;
  /** TTL made it, and nobody's request. */
  readonly expired?: boolean;
}

/** What a stream records of a change; undefined: nothing, as for a write that changed nothing. */
export function loggedChange({ table, before, after }: Change, at: number, expired: boolean): LoggedChange | undefined {
  const view = table.stream;
  if (view === undefined || isEqual(before, after)) return undefined;
  const keys = pick((after ?? before)!, keyNames(table));
  const newImage = after && (view === 'NEW_IMAGE' || view === 'NEW_AND_OLD_IMAGES') ? after : undefined;
  const oldImage = before && (view === 'OLD_IMAGE' || view === 'NEW_AND_OLD_IMAGES') ? before : undefined;
  const bytes = [keys, newImage, oldImage].reduce((sum: number, image: Item | undefined) => sum + (image ? itemBytes(image) : 0), 0);
  return {
    eventName: before === undefined ? 'INSERT' : after === undefined ? 'REMOVE' : 'MODIFY',
    at,
    view,
    keys: writeItem(keys),
    ...(newImage ? { newImage: writeItem(newImage) } : {}),
    ...(oldImage ? { oldImage: writeItem(oldImage) } : {}),
    bytes,
    ...(expired ? { expired } : {}),
  };
}

/** A place in the log as AWS writes it: 21 digits. */
export const sequenceNumber = (place: number): string => `1${String(place).padStart(20, '0')}`;

/** @returns undefined for what is no sequence number of ours */
export function placeOfSequence(text: string): number | undefined {
  return /^1\d{20}$/.test(text) ? Number(text.slice(1)) : undefined;
}

/** A record as GetRecords answers it. */
export function streamRecord(change: LoggedChange, place: number, region: string): Record<string, unknown> {
  const SequenceNumber = sequenceNumber(place);
  return {
    eventID: createHash('md5').update(SequenceNumber).digest('hex'),
    eventName: change.eventName,
    eventVersion: '1.1',
    eventSource: 'aws:dynamodb',
    awsRegion: region,
    dynamodb: {
      ApproximateCreationDateTime: Math.floor(change.at / 1000),
      Keys: change.keys,
      ...(change.newImage === undefined ? {} : { NewImage: change.newImage }),
      ...(change.oldImage === undefined ? {} : { OldImage: change.oldImage }),
      SequenceNumber,
      SizeBytes: change.bytes,
      StreamViewType: change.view,
    },
    ...(change.expired ? { userIdentity: { PrincipalId: 'dynamodb.amazonaws.com', Type: 'Service' } } : {}),
  };
}
