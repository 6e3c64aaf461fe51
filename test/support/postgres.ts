/**
 * A real PostgreSQL of Debian's package, on a socket in a folder of its own, as a user without rights: the server refuses
 * to run as root. It ends with `stop`.
 */
import {chown, mkdir, mkdtemp, readdir, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';
import {type Argv, type RunningProcess, exec, start} from '../../platform/exec.ts';

export interface TestPostgres {
  /** Of a new database, which is empty. */
  createDatabase(name: string): Promise<string>;
  /** It goes away, and `resume` brings it back with what it had. */
  halt(): Promise<void>;
  resume(): Promise<void>;
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
  const settings = ['listen_addresses=', 'fsync=off', 'shared_buffers=16MB'].flatMap((each) => ['-c', each]);
  const tool = (name: string, ...args: string[]): Promise<unknown> =>
    exec([join(bin, name), `--host=${folder}`, `--username=${USER}`, ...args], options);
  const isReady = (): Promise<boolean> =>
    tool('pg_isready', '--quiet').then(
      () => true,
      () => false,
    );

  async function launch(): Promise<RunningProcess> {
    const server = start(plain([join(bin, 'postgres'), '-D', data, '-k', folder, ...settings]), {
      cwd: folder,
    });
    const state = {isGone: false};
    void server.ended.then(() => (state.isGone = true));
    const deadline = Date.now() + READY_TIMEOUT_MS;
    while (!(await isReady())) {
      if (state.isGone) throw new Error(`postgres ended: ${(await server.ended).stderr}`);
      if (Date.now() > deadline) throw new Error('postgres does not get ready');
      await sleep(50);
    }
    return server;
  }
  /** Disconnects clients, and ends in order. */
  async function halt(): Promise<void> {
    server.kill('SIGINT');
    await server.ended;
  }

  let server = await launch();
  return {
    async createDatabase(name) {
      await tool('createdb', name);
      return `postgres://${USER}@/${name}?host=${encodeURIComponent(folder)}`;
    },
    halt,
    async resume() {
      server = await launch();
    },
    async stop() {
      await halt();
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
