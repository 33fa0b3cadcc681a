import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { defineTopology } from '@outbox-saga/kit/messages/topology';
import { describe, expect, it, onTestFinished } from 'vitest';
import * as z from 'zod';
import { changedShapes, recordShapes, shapesOf, type RecordedShapes } from '../src/message-shapes.ts';
import { temporaryFolder } from '../src/temporary-folder.ts';

const topologyWith = (data: z.ZodType, version = 1) =>
  defineTopology({
    messages: { Opened: { version, data, ...(version > 1 ? { upcasts: { 1: (old: unknown) => old } } : {}) } },
    consumers: { audit: { role: 'actor', batchSize: 10, maximumConcurrency: 2, maxReceiveCount: 30, idempotent: false } },
    routes: { Opened: { kind: 'event', consumers: ['audit'] } },
  });
const first = topologyWith(z.object({ at: z.int() }));
const second = z.object({ at: z.int(), by: z.string() });

describe('the recorded shapes of messages', () => {
  it('are those of the messages that did not change', () => {
    expect(changedShapes(first, shapesOf(first))).toEqual([]);
  });

  it.each([
    ['a field more', second],
    ['a field of another type', z.object({ at: z.string() })],
    ['a narrower field', z.object({ at: z.int().min(0) })],
    ['an optional field', z.object({ at: z.int().optional() })],
  ])('are not those of a payload with %s under the same version', (_what, data) => {
    expect(changedShapes(topologyWith(data), shapesOf(first))).toEqual([
      'Opened v1: its payload is not what was recorded. Give it a new version, and an upcast from this one',
    ]);
  });

  it('ask for a record of a new version, and keep that of the old one', () => {
    const folder = temporaryFolder();
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const file = join(folder, 'shapes.json');
    const read = (): RecordedShapes => JSON.parse(readFileSync(file, 'utf8')) as RecordedShapes;
    recordShapes(first, file);
    const next = topologyWith(second, 2);
    expect(changedShapes(next, read())).toEqual(['Opened v2 has no record: record it before it is deployed']);
    recordShapes(next, file);
    expect(Object.keys(read()).toSorted()).toEqual(['Opened v1', 'Opened v2']);
    expect(changedShapes(next, read())).toEqual([]);
    // A record is never overwritten: a changed payload does not pass by being recorded again.
    recordShapes(topologyWith(z.object({ at: z.string() })), file);
    expect(read()['Opened v1']).toEqual(shapesOf(first)['Opened v1']);
  });

  it('name a type that is gone', () => {
    expect(changedShapes(first, { ...shapesOf(first), 'Closed v1': { sha256: '', schema: {} } })).toEqual([
      expect.stringMatching(/^Closed v1 was recorded, and there is no such message type any more/),
    ]);
  });
});
