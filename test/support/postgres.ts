/**
 * A real PostgreSQL of Debian's package, on a socket in a folder of its own, as a user without rights: the server refuses
 * to run as root. It ends with `stop`.
 */
import {chown, mkdir, mkdtemp, readdir, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';
import {type Argv, exec, start} from '../../platform/exec.ts';

export interface TestPostgres {
  /** Of a new database, which is empty. */
  createDatabase(name: string): Promise<string>;
  stop(): Promise<void>;
}

const PROGRAMS = '/usr/lib/postgresql';
const USER = 'caisson';
/** `nobody` of Debian, by number: the name may be anything. */
const NOBODY = 65_534;
const READY_TIMEOUT_MS = 120_000;

export async function startPostgres(): Promise<TestPostgres> {
  const bin = join(PROGRAMS, await latestVersion(), 'bin');
  const folder = await mkdtemp(join(tmpdir(), 'postgres-'));
  const data = join(folder, 'data');
  const isRoot = process.getuid?.() === 0;
  const asNobody = ['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups'] as const;
  const plain = (argv: Argv): Argv => (isRoot ? [...asNobody, ...argv] : argv);
  await mkdir(data);
  if (isRoot) for (const path of [folder, data]) await chown(path, NOBODY, NOBODY);
  const options = {cwd: folder, timeoutMs: READY_TIMEOUT_MS};
  await exec(
    plain([join(bin, 'initdb'), '--no-sync', '--auth=trust', `--username=${USER}`, '--encoding=UTF8', data]),
    options,
  );
  const server = start(
    plain([
      join(bin, 'postgres'),
      ...[
        '-D',
        data,
        '-k',
        folder,
        '-c',
        'listen_addresses=',
        '-c',
        'fsync=off',
        '-c',
        'shared_buffers=16MB',
      ],
    ]),
    {cwd: folder},
  );
  const state = {isGone: false};
  const ended = server.ended.then((result) => {
    state.isGone = true;
    return result;
  });
  const tool = (name: string, ...args: string[]): Promise<unknown> =>
    exec([join(bin, name), `--host=${folder}`, `--username=${USER}`, ...args], options);
  const deadline = Date.now() + READY_TIMEOUT_MS;
  const isReady = (): Promise<boolean> =>
    tool('pg_isready', '--quiet').then(
      () => true,
      () => false,
    );
  while (!(await isReady())) {
    if (state.isGone) throw new Error(`postgres ended: ${(await ended).stderr}`);
    if (Date.now() > deadline) throw new Error('postgres does not get ready');
    await sleep(50);
  }
  return {
    async createDatabase(name) {
      await tool('createdb', name);
      return `postgres://${USER}@/${name}?host=${encodeURIComponent(folder)}`;
    },
    async stop() {
      // Disconnects clients, and ends in order.
      server.kill('SIGINT');
      await ended;
      await rm(folder, {recursive: true, force: true});
    },
  };
}

async function latestVersion(): Promise<string> {
  const names = (await readdir(PROGRAMS)).filter((name) => /^\d+$/.test(name));
  const latest = names.sort((a, b) => Number(b) - Number(a))[0];
  if (latest === undefined) throw new Error(`no version of PostgreSQL in ${PROGRAMS}`);
  return latest;
}
