import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import type { Topology } from '@outbox-saga/kit/messages/topology';
import * as z from 'zod';

/** What was recorded of one version of a message type: its payload as JSON Schema, and the hash of that. */
export interface RecordedShape {
  readonly sha256: string;
  readonly schema: unknown;
}

/** `PasswordUserLoggedIn v1` → its shape. */
export type RecordedShapes = Readonly<Record<string, RecordedShape>>;

/** The shape of every message type at its present version. */
export function shapesOf({ messages }: Topology): RecordedShapes {
  return Object.fromEntries(
    Object.entries(messages).map(([type, { version, data }]) => {
      const schema: unknown = z.toJSONSchema(data, { io: 'input', unrepresentable: 'any' });
      const sha256 = createHash('sha256').update(JSON.stringify(schema)).digest('hex');
      return [`${type} v${version}`, { sha256, schema }];
    }),
  );
}

/**
 * Compares what messages look like now with what was recorded. A payload that changes under the same version is read wrongly by whoever runs the other code, during a
 * deployment and for as long as messages wait. A new version is recorded beside the older ones, which stay.
 *
 * @returns one sentence for each message type whose shape changed without a new version, that has no record, or whose record is of a type that is gone
 */
export function changedShapes(topology: Topology, recorded: RecordedShapes): string[] {
  const present = shapesOf(topology);
  const types = Object.keys(topology.messages);
  return [
    ...Object.entries(present).flatMap(([name, { sha256 }]) => {
      const known = recorded[name];
      if (!known) return [`${name} has no record: record it before it is deployed`];
      return known.sha256 === sha256
        ? []
        : [`${name}: its payload is not what was recorded. Give it a new version, and an upcast from this one`];
    }),
    ...Object.keys(recorded)
      .filter((name) => !types.includes(name.replace(/ v\d+$/, '')))
      .map((name) => `${name} was recorded, and there is no such message type any more: what still waits in queues cannot be read`),
  ];
}

/** Adds to a file of records what it lacks. What it has stays as it is. */
export function recordShapes(topology: Topology, file: string): void {
  const recorded = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as RecordedShapes) : {};
  writeFileSync(file, `${JSON.stringify({ ...shapesOf(topology), ...recorded }, null, 2)}\n`);
}
