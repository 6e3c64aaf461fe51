/** The client against a socket that says what the test tells it to. */
import assert from 'node:assert/strict';
import {mkdtemp, rm} from 'node:fs/promises';
import {createServer, type Socket} from 'node:net';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {describe, it} from 'node:test';
import {setTimeout as sleep} from 'node:timers/promises';
import {QemuError, type QemuErrorCode} from '../../../qemu/errors.ts';
import {QmpClient} from '../../../qemu/qmp.ts';

const GREETING =
  '{"QMP": {"version": {"qemu": {"major": 9, "minor": 1, "micro": 0}}, "capabilities": []}}\r\n';
const DEADLINE = {deadlineMs: 60_000};

type Answer = (request: {execute: string; id: number; arguments?: unknown}, socket: Socket) => void;

describe('QmpClient', () => {
  it('negotiates, then runs commands whose answers may come in any order', async () => {
    const held: number[] = [];
    await withServer(
      (request, socket) => {
        held.push(request.id);
        if (held.length === 2)
          for (const id of held.reverse()) socket.write(`{"return": ${id}, "id": ${id}}\r\n`);
      },
      async (path) => {
        const qmp = await QmpClient.connect(path, DEADLINE);
        assert.equal(qmp.version, '9.1.0');
        const [first, second] = await Promise.all([qmp.execute('a'), qmp.execute('b', {c: 1})]);
        assert.equal(Number(second) - Number(first), 1);
        qmp.close();
      },
    );
  });

  it('retries until someone listens', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'qmp-'));
    const path = join(folder, 'late');
    const connecting = QmpClient.connect(path, DEADLINE);
    await sleep(50);
    await withServer(
      () => undefined,
      async () => (await connecting).close(),
      path,
    );
    await rm(folder, {recursive: true});
  });

  it('gives up when nobody listens, or when told to', async () => {
    const path = join(tmpdir(), 'qmp-nobody');
    await assert.rejects(QmpClient.connect(path, {deadlineMs: 30}), hasCode('timed-out'));
    const signal = AbortSignal.timeout(30);
    await assert.rejects(QmpClient.connect(path, {...DEADLINE, signal}), {name: 'TimeoutError'});
  });

  it("passes QEMU's refusal on in its words", async () => {
    await withServer(
      ({id}, socket) =>
        socket.write(`{"id": ${id}, "error": {"class": "GenericError", "desc": "no such thing"}}\r\n`),
      async (path) => {
        const qmp = await QmpClient.connect(path, DEADLINE);
        await assert.rejects(qmp.execute('frob'), /QEMU refused frob: no such thing \(GenericError\)/);
        qmp.close();
      },
    );
  });

  it('waits for an event with the right data, and keeps those that passed', async () => {
    await withServer(
      ({id}, socket) => {
        for (const status of ['active', 'completed']) {
          socket.write(`{"event": "MIGRATION", "data": {"status": "${status}"}}\r\n`);
        }
        socket.write(`{"return": {}, "id": ${id}}\r\n`);
      },
      async (path) => {
        const qmp = await QmpClient.connect(path, DEADLINE);
        const where = (data: Readonly<Record<string, unknown>>) => data['status'] === 'completed';
        const [event] = await Promise.all([
          qmp.waitForEvent('MIGRATION', {...DEADLINE, where}),
          qmp.execute('migrate'),
        ]);
        assert.deepEqual(event, {name: 'MIGRATION', data: {status: 'completed'}});
        assert.equal(qmp.events.length, 2);
        await assert.rejects(qmp.waitForEvent('STOP', {deadlineMs: 20}), hasCode('timed-out'));
        qmp.close();
      },
    );
  });

  it('answers late come to nobody', async () => {
    await withServer(
      ({id, execute}, socket) => {
        setTimeout(
          () => socket.write(`{"return": "${execute}", "id": ${id}}\r\n`),
          execute === 'slow' ? 60 : 0,
        );
      },
      async (path) => {
        const qmp = await QmpClient.connect(path, DEADLINE);
        await assert.rejects(qmp.execute('slow', undefined, {deadlineMs: 10}), hasCode('timed-out'));
        await sleep(80);
        assert.equal(await qmp.execute('fast'), 'fast');
        qmp.close();
      },
    );
  });

  const endings: [string, string | undefined, QemuErrorCode][] = [
    ['hangs up', undefined, 'exited'],
    ['talks nonsense', 'nonsense\r\n', 'bad-qmp'],
    ['does not understand us', '{"error": {"class": "GenericError", "desc": "JSON"}}\r\n', 'qmp-refused'],
  ];
  for (const [what, text, code] of endings) {
    it(`fails everything under way when QEMU ${what}`, async () => {
      await withServer(
        (_request, socket) => (text === undefined ? socket.destroy() : socket.write(text)),
        async (path) => {
          const qmp = await QmpClient.connect(path, DEADLINE);
          const waiting = assert.rejects(qmp.waitForEvent('STOP', DEADLINE), hasCode(code));
          await assert.rejects(qmp.execute('stop'), hasCode(code));
          await waiting;
          await assert.rejects(qmp.execute('stop'), hasCode(code));
        },
      );
    });
  }
});

function hasCode(code: QemuErrorCode): (error: unknown) => boolean {
  return (error) => error instanceof QemuError && error.code === code;
}

/** Serves one client: greets, accepts the negotiation, and leaves every other request to `answer`. */
async function withServer(
  answer: Answer,
  use: (path: string) => Promise<void>,
  givenPath?: string,
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'qmp-'));
  const path = givenPath ?? join(folder, 'socket');
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.write(GREETING);
    socket.setEncoding('utf8').on('data', (chunk) => {
      for (const line of String(chunk).trim().split('\n')) {
        const request = JSON.parse(line) as Parameters<Answer>[0];
        if (request.execute === 'qmp_capabilities') socket.write(`{"return": {}, "id": ${request.id}}\r\n`);
        else answer(request, socket);
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  try {
    await use(path);
  } finally {
    server.close();
    await rm(folder, {recursive: true});
  }
}
