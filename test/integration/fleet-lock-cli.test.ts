/** `caisson fleet-lock` as a person runs it, on a real etcd, and a host that asks it by curl. Needs curl. */
import assert from 'node:assert/strict';
import {type ChildProcess, spawn} from 'node:child_process';
import {once} from 'node:events';
import {join} from 'node:path';
import {after, before, describe, it} from 'node:test';
import {exec} from '../../platform/exec.ts';
import {type EtcdCluster, startEtcd} from '../support/etcd.ts';
import {ROOT_DIR} from '../support/sources.ts';

const [ONE, TWO] = ['1'.repeat(32), '2'.repeat(32)];
const CAISSON = join(ROOT_DIR, 'caisson');
/** The command is run from its sources, on a machine that does other things as well. */
const SLOW = {timeout: 180_000};

let etcd: EtcdCluster;
before(async () => void (etcd = await startEtcd()));
after(() => etcd.stop());

interface RunningServer {
  readonly url: string;
  /** Waits for what it prints; what it has printed before counts. */
  until(pattern: RegExp): Promise<RegExpExecArray>;
  /** Sends the signal; its exit code. */
  end(signal: NodeJS.Signals): Promise<number | null>;
}

async function startServer(...args: string[]): Promise<RunningServer> {
  const words = ['fleet-lock', '--listen', '127.0.0.1:0', '--endpoint', etcd.endpoints[0] ?? '', ...args];
  const child: ChildProcess = spawn(CAISSON, words, {stdio: ['ignore', 'pipe', 'pipe']});
  after(() => void child.kill('SIGKILL'));
  const heard = new EventTarget();
  let text = '';
  let ended: string | undefined;
  const listen = (data: Buffer): void => {
    text += data.toString();
    heard.dispatchEvent(new Event('change'));
  };
  child.stdout?.on('data', listen);
  child.stderr?.on('data', listen);
  child.once('exit', (code) => {
    ended = `it ended with ${code}`;
    heard.dispatchEvent(new Event('change'));
  });
  const until = async (pattern: RegExp): Promise<RegExpExecArray> => {
    for (;;) {
      const found = pattern.exec(text);
      if (found !== null) return found;
      if (ended !== undefined) throw new Error(`${ended} before it said ${String(pattern)}: ${text}`);
      await new Promise((resolve) => heard.addEventListener('change', resolve, {once: true}));
    }
  };
  const [, url = ''] = await until(
    args.includes('--json') ? /"event":"listening","url":"([^"]+)"/ : /base_url = "([^"]+)"/,
  );
  return {
    url,
    until,
    async end(signal) {
      const exit = once(child, 'exit') as Promise<[number | null]>;
      child.kill(signal);
      return (await exit)[0];
    },
  };
}

/** As a host of Zincati asks; the status and the body. */
async function ask(url: string, verb: string, id: string, group = 'default'): Promise<string> {
  const body = JSON.stringify({client_params: {id, group}});
  const {stdout} = await exec([
    ...(['curl', '-sS', '--max-time', '60', '-w', '%{http_code} ', '-o', '-', '-X', 'POST'] as const),
    ...['-H', 'fleet-lock-protocol: true', '-d', body, `${url}/v1/${verb}`],
  ]);
  return stdout;
}

async function refusal(...args: string[]): Promise<{code: number; text: string}> {
  const {exitCode, stderr} = await exec([CAISSON, 'fleet-lock', ...args], {okCodes: [0, 1, 2]});
  return {code: exitCode, text: stderr};
}

describe('caisson fleet-lock', () => {
  it('gives the one slot to one host at a time, says so, and ends on Ctrl-C', SLOW, async () => {
    const server = await startServer('--access-log', '--group', 'default', '--group', 'edge');
    assert.match(await ask(server.url, 'pre-reboot', ONE), /200 $/);
    await server.until(new RegExp(`${ONE} \\(group default, 127\\.0\\.0\\.1\\): pre-reboot: `));
    assert.match(await ask(server.url, 'pre-reboot', TWO), /"failed_lock".*409 $/s);
    assert.match(await ask(server.url, 'pre-reboot', TWO, 'edge'), /200 $/);
    assert.match(await ask(server.url, 'pre-reboot', ONE, 'other'), /"unknown_group".*400 $/s);
    assert.match(await ask(server.url, 'steady-state', ONE), /200 $/);
    assert.match(await ask(server.url, 'pre-reboot', TWO), /200 $/);
    await server.until(/ 127\.0\.0\.1 POST \/v1\/pre-reboot 409 /);
    const stored = await etcd.etcdctl('get', '--prefix', 'coreos.com/updateengine/rebootlock/');
    assert.ok(stored.includes(TWO) && !stored.includes(ONE), stored);
    assert.equal(await server.end('SIGINT'), 0);

    // What it has given away lies in etcd: the next one knows it.
    const next = await startServer('--json');
    assert.match(await ask(next.url, 'pre-reboot', ONE), /409 $/);
    const decision = JSON.parse((await next.until(/^\{.*"event":"decision".*\}$/m))[0]) as {
      client: {id: string};
    };
    assert.equal(decision.client.id, ONE);
    assert.equal(await next.end('SIGTERM'), 0);
  });

  it('refuses arguments that make no sense', SLOW, async () => {
    const address = await refusal('--listen', '3333');
    assert.deepEqual([address.code, /"3333" is no HOST:PORT/.test(address.text)], [1, true], address.text);
    const tls = await refusal('--listen', '127.0.0.1:0', '--tls-cert', 'x');
    assert.deepEqual([tls.code, /--tls-cert and --tls-key go together/.test(tls.text)], [2, true], tls.text);
    const endpoint = await refusal('--endpoint', '127.0.0.1');
    assert.deepEqual([endpoint.code, /127\.0\.0\.1/.test(endpoint.text)], [2, true], endpoint.text);
    const unknown = await refusal('--slots', '2');
    assert.equal(unknown.code, 2, unknown.text);
  });
});
