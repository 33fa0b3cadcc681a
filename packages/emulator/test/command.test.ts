import { spawn, type ChildProcess } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from '@outbox-saga/testing/temporary-folder';
import { describe, expect, it, onTestFinished } from 'vitest';
import { callService } from '../src/call.ts';

const bin = join(import.meta.dirname, '../bin/outbox-saga-emulator.mjs');

function start(args: readonly string[], nodeArgs: readonly string[] = []) {
  const child: ChildProcess = spawn(process.execPath, [...nodeArgs, bin, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  let [out, err] = ['', ''];
  const says = new Promise<string>((resolve) => child.stdout!.on('data', (chunk: Buffer) => resolve((out += chunk.toString('utf8')))));
  child.stderr!.on('data', (chunk: Buffer) => (err += chunk.toString('utf8')));
  const ended = new Promise<{ code: number | null; out: string; err: string }>((resolve) =>
    child.once('close', (code) => resolve({ code, out, err })),
  );
  return { child, says, ended };
}

describe('the emulator’s command', () => {
  it('serves DynamoDB and SQS, keeps what it was told, and ends on a signal', async () => {
    const folder = temporaryFolder();
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    for (const expected of [[], ['greetings']]) {
      const { child, says, ended } = start(['--port', '0', '--data-dir', folder]);
      const endpoint = /http:\/\/127\.0\.0\.1:\d+/.exec(await says)![0];
      const { QueueUrls = [] } = (await callService(endpoint, 'AmazonSQS.ListQueues', {})) as { QueueUrls?: string[] };
      expect(QueueUrls.map((url) => new URL(url).pathname.split('/').at(-1))).toEqual(expected);
      await callService(endpoint, 'AmazonSQS.CreateQueue', { QueueName: 'greetings' });
      child.kill('SIGTERM');
      expect(await ended).toMatchObject({ code: 0, err: '' });
    }
  });

  it('prints its usage', async () => {
    expect(await start(['--help']).ended).toMatchObject({ code: 0, out: expect.stringContaining('--data-dir') as string });
  });

  it.each([
    [['--port', 'http'], '--port http: must be a number from 0 to 65535'],
    [['--region', 'Mars!'], "--region Mars!: must be a region's name"],
    [['--fast'], "Unknown option '--fast'"],
  ])('refuses %j', async (args, sentence) => {
    expect(await start(args).ended).toMatchObject({ code: 1, err: expect.stringContaining(sentence) as string });
  });

  it('names a file that is not its own', async () => {
    const folder = temporaryFolder();
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    writeFileSync(join(folder, 'aws.sqlite'), 'this is no database, whatever its name says'.repeat(100));
    const { code, err } = await start(['--port', '0', '--data-dir', folder]).ended;
    expect({ code, err }).toMatchObject({
      code: 1,
      err: expect.stringContaining(`${join(folder, 'aws.sqlite')} cannot be used`) as string,
    });
  });

  it('refuses an older Node in a sentence', async () => {
    const older = `data:text/javascript,Object.defineProperty(process,'versions',{value:{...process.versions,node:'20.11.0'}})`;
    expect(await start([], ['--import', older]).ended).toMatchObject({
      code: 1,
      err: expect.stringMatching(/needs Node 24 or newer/) as string,
    });
  });
});
