/** Moves a machine's state between QEMU and a file, through a Unix socket and QEMU's migration commands. */
import {createReadStream, createWriteStream} from 'node:fs';
import {connect, createServer, type Server, type Socket} from 'node:net';
import {join} from 'node:path';
import {pipeline} from 'node:stream/promises';
import {type Deadline, waitUntil} from './deadline.ts';
import {QemuError} from './errors.ts';
import type {Machine} from './machine.ts';
import {isObject, type JsonObject} from './qmp-messages.ts';

/** QEMU's default of 128 MiB/s is meant for networks. */
const BYTES_PER_SECOND = 16 * 1024 ** 3;

/** Stops the guest and writes its memory and devices to a file; disks are flushed. The guest stays stopped. */
export async function saveState(machine: Machine, file: string, options: Deadline): Promise<void> {
  const {qmp} = machine;
  await qmp.execute('stop');
  await prepare(machine);
  const path = join(machine.folder, 'state');
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(path, resolve));
  try {
    await Promise.all([
      writeState(server, file, options),
      waitForEnd(machine, options),
      qmp.execute('migrate', {uri: `unix:${path}`}),
    ]);
  } finally {
    server.close();
  }
}

/** Feeds a machine that was started with `incoming`. The guest is left stopped. Throws QemuError `bad-snapshot`. */
export async function loadState(machine: Machine, file: string, options: Deadline): Promise<void> {
  await prepare(machine);
  const path = join(machine.folder, 'state');
  await machine.qmp.execute('migrate-incoming', {uri: `unix:${path}`});
  try {
    await Promise.all([
      waitForEnd(machine, options),
      pipeline(createReadStream(file, {highWaterMark: 1 << 20}), connect({path})),
    ]);
  } catch (error) {
    // QEMU ends when it cannot use a state, and its reason is on its standard error.
    await machine.kill();
    const {stderr} = await machine.ended;
    throw new QemuError('bad-snapshot', `QEMU could not load ${file}: ${stderr.trim()}`, {cause: error});
  }
}

async function prepare(machine: Machine): Promise<void> {
  await machine.qmp.execute('migrate-set-capabilities', {
    capabilities: [{capability: 'events', state: true}],
  });
  await machine.qmp.execute('migrate-set-parameters', {'max-bandwidth': BYTES_PER_SECOND});
}

async function writeState(server: Server, file: string, options: Deadline): Promise<void> {
  const onDeadline = () => new QemuError('timed-out', 'QEMU did not send its state');
  const socket = await waitUntil<Socket>({...options, onDeadline}, ({resolve}) => {
    server.once('connection', resolve);
    return () => server.off('connection', resolve);
  });
  await pipeline(socket, createWriteStream(file));
}

/** Throws QemuError `bad-snapshot` when the migration ends in another way than completely. */
async function waitForEnd(machine: Machine, options: Deadline): Promise<void> {
  const isEnd = (data: JsonObject) => ['completed', 'failed', 'cancelled'].includes(String(data['status']));
  const event = await machine.qmp.waitForEvent('MIGRATION', {...options, where: isEnd});
  if (event.data['status'] === 'completed') return;
  const state = await machine.qmp.execute('query-migrate');
  const description = isObject(state) ? state['error-desc'] : undefined;
  const reason = typeof description === 'string' ? description : 'no reason given';
  throw new QemuError('bad-snapshot', `saving or restoring ${machine.spec.name} failed: ${reason}`);
}
