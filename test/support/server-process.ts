/** `caisson server` as a process of its own, over a folder of releases: started, asked over its API, stopped, killed. */
import {readFile, writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import {createInterface} from 'node:readline';
import {type Argv, type RunningProcess, start} from '../../platform/exec.ts';
import {TEST_KEY} from './payload.ts';
import {ROOT_DIR} from './sources.ts';

/** The rest is passed over: a line for each request comes to many. */
const MAX_LINES = 10_000;

export interface ServerProcess {
  /** `http://127.0.0.1:PORT`. */
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  /** Of the role admin. */
  readonly token: string;
  /** What it printed, as far as it has. */
  readonly lines: readonly string[];
  readonly process: RunningProcess;
  /** Status and body of an answer of the API. */
  call(method: string, path: string, body?: unknown): Promise<readonly [number, unknown]>;
  stop(how: 'SIGTERM' | 'SIGKILL'): Promise<void>;
}

export interface ServerProcessOptions {
  /** Of releases; the server's own folder is in it. */
  readonly dir: string;
  /** A PostgreSQL; the embedded database without. */
  readonly databaseUrl?: string;
  /** What comes before the command, for example `taskset`. */
  readonly wrapper?: readonly string[];
  readonly args?: readonly string[];
  /** Where to leave a profile of its processor time when it ends in order. */
  readonly profileDir?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** Throws with what it printed when it ends before it serves. */
export async function startServerProcess(options: ServerProcessOptions): Promise<ServerProcess> {
  const {dir, databaseUrl, wrapper = [], args = [], env = {}, profileDir} = options;
  const key = join(dir, 'mine.pub.pem');
  await writeFile(key, TEST_KEY.publicKey.export({type: 'spki', format: 'pem'}));
  const data = join(dir, 'server');
  const command = [...['server', '--dir', dir, '--data', data, '--key', key], '--listen', '127.0.0.1:0'];
  const running = start([...wrapper, ...programOf(profileDir), ...command, ...args] as unknown as Argv, {
    env: {...env, ...(databaseUrl === undefined ? {} : {CAISSON_DATABASE_URL: databaseUrl})},
  });
  const lines: string[] = [];
  const found = new Promise<string>((resolve) => {
    createInterface({input: running.stdout}).on('line', (line) => {
      if (lines.length < MAX_LINES) lines.push(line);
      const address = /SERVER=(http:\/\/[^/]+)\/v1\/update\//.exec(line)?.[1];
      if (address !== undefined) resolve(address);
    });
  });
  let hasEnded = false;
  const ended = running.ended.then(({stderr}) => {
    hasEnded = true;
    throw new Error(`the server ended: ${lines.join('\n')}\n${stderr}`);
  });
  ended.catch(() => undefined);
  const url = await Promise.race([found, ended]);
  // A wrapper may have mounted something there, which only the process sees.
  const token = (await readFile(`/proc/${running.pid}/root${join(data, 'admin.token')}`, 'utf8')).trim();
  return {
    url,
    port: Number(new URL(url).port),
    pid: running.pid ?? 0,
    token,
    lines,
    process: running,
    async call(method, path, body) {
      const answer = await fetch(`${url}/api/v1/${path}`, {
        method,
        headers: {authorization: `Bearer ${token}`},
        ...(body === undefined ? {} : {body: JSON.stringify(body)}),
      });
      return [answer.status, await answer.json()];
    },
    async stop(how) {
      // Not by `kill` of the child, which loses patience after a while.
      if (!hasEnded && running.pid !== undefined) process.kill(running.pid, how);
      await running.ended;
    },
  };
}

function programOf(profileDir: string | undefined): readonly string[] {
  if (profileDir === undefined) return [join(ROOT_DIR, 'caisson')];
  const loader = join(ROOT_DIR, 'node_modules/tsx/dist/loader.mjs');
  const profile = ['--cpu-prof', `--cpu-prof-dir=${profileDir}`];
  return [process.execPath, ...profile, '--import', loader, join(ROOT_DIR, 'cli/main.ts')];
}
