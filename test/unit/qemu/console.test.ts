import assert from 'node:assert/strict';
import {mkdtemp, readFile, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {PassThrough} from 'node:stream';
import {finished} from 'node:stream/promises';
import {setTimeout as sleep} from 'node:timers/promises';
import {describe, it} from 'node:test';
import {MachineConsole} from '../../../qemu/console.ts';
import {QemuError} from '../../../qemu/errors.ts';

const SOON = {deadlineMs: 60_000};

describe('MachineConsole.waitFor', () => {
  it('finds a pattern whose characters arrive one by one, between colours', async () => {
    const stream = new PassThrough();
    const machine = new MachineConsole(stream);
    const found = machine.waitFor(/reached (\w+)\n/, SOON);
    for (const part of ['boot: rea', 'ched \u001B[0', ';32mtar', 'get\u001B[', '0m', '\r', '\n']) {
      stream.write(part);
      await sleep(1);
    }
    const match = await found;
    assert.deepEqual(match.groups, ['target']);
    assert.equal(match.text, 'reached target\n');
    assert.equal(match.end, 'boot: reached target\n'.length);
  });

  it('finds what came before it was asked', async () => {
    const stream = new PassThrough();
    const machine = new MachineConsole(stream);
    stream.write('login: ');
    await sleep(1);
    assert.equal((await machine.waitFor('login:', SOON)).end, 6);
  });

  it('waits for the second of two equal lines when told where the first ended', async () => {
    const stream = new PassThrough();
    const machine = new MachineConsole(stream);
    stream.write('one login: ');
    const first = await machine.waitFor('login:', SOON);
    const second = machine.waitFor(/\w+ login:/g, {...SOON, after: first.end});
    stream.write('two login: ');
    assert.equal((await second).text, 'two login:');
  });

  it('tells when the match was seen, on the given clock', async () => {
    let now = 1_000;
    const stream = new PassThrough();
    const machine = new MachineConsole(stream, {now: () => now});
    now = 3_500;
    stream.write('x');
    assert.equal((await machine.waitFor('x', SOON)).atMs, 2_500);
  });

  it('fails at the deadline with the last lines and the name of the log', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'console-'));
    try {
      const stream = new PassThrough();
      const logFile = join(folder, 'console.log');
      const machine = new MachineConsole(stream, {logFile});
      const lines = Array.from({length: 100}, (_, index) => `line ${index}`);
      stream.write(`${lines.join('\n')}\n`);
      await assert.rejects(machine.waitFor(/never/, {deadlineMs: 20}), (error) => {
        assert.ok(error instanceof QemuError);
        assert.equal(error.code, 'console-timeout');
        assert.match(error.message, /^\/never\/ did not appear within 20 ms; .*console\.log\n/);
        assert.deepEqual(error.message.split('\n').slice(1), lines.slice(-60));
        return true;
      });
      stream.end();
      await finished(stream);
      await sleep(50);
      assert.equal(await readFile(logFile, 'utf8'), `${lines.join('\n')}\n`);
    } finally {
      await rm(folder, {recursive: true});
    }
  });

  it('fails when the console ends, before or after being asked', async () => {
    const stream = new PassThrough();
    const machine = new MachineConsole(stream);
    const early = machine.waitFor('never', SOON);
    stream.end('last words');
    const isEnd = (error: unknown) =>
      error instanceof QemuError && error.code === 'exited' && error.message.endsWith('\nlast words');
    await assert.rejects(early, isEnd);
    await assert.rejects(machine.waitFor('never', SOON), isEnd);
    assert.equal((await machine.waitFor('words', SOON)).text, 'words');
  });

  it('stops waiting when told to', async () => {
    const machine = new MachineConsole(new PassThrough());
    const stop = new AbortController();
    const waiting = machine.waitFor('never', {...SOON, signal: stop.signal});
    stop.abort(new Error('enough'));
    await assert.rejects(waiting, /^Error: enough$/);
    await assert.rejects(machine.waitFor('never', {...SOON, signal: stop.signal}), /^Error: enough$/);
  });
});

describe('MachineConsole.text', () => {
  it('keeps a bounded tail, and positions that go on counting', async () => {
    const stream = new PassThrough();
    const machine = new MachineConsole(stream);
    const mebibyte = 'x'.repeat(1024 * 1024);
    for (let count = 0; count < 6; count += 1) stream.write(mebibyte);
    stream.write('end');
    const match = await machine.waitFor('end', SOON);
    assert.equal(match.end, 6 * mebibyte.length + 3);
    assert.equal(machine.position, match.end);
    assert.ok(machine.text.length <= 4 * mebibyte.length);
  });
});
