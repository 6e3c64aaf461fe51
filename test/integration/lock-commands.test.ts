/** caissonctl lock and locksmithctl on a real etcd: verbs, output and exit codes. */
import assert from 'node:assert/strict';
import {after, before, describe, it} from 'node:test';
import {type EtcdKeeper, openEtcdKeeper} from '../../coordination/etcd-lock.ts';
import {isLockCommand, parseCommand} from '../../update-engine/ctl/arguments.ts';
import {runLock} from '../../update-engine/ctl/lock.ts';
import {parseLocksmith, runLocksmith} from '../../update-engine/ctl/locksmith.ts';
import type {Terminal} from '../../update-engine/ctl/run.ts';
import type {EngineClient} from '../../update-engine/api/client.ts';
import {captureTerminal} from '../support/captured-terminal.ts';
import {type EtcdCluster, startEtcd} from '../support/etcd.ts';
import {keeperOptions} from '../support/etcd-lock.ts';

const SELF = '0123456789abcdef0123456789abcdef';

describe('commands about the lock', () => {
  let etcd: EtcdCluster;
  let keeper: EtcdKeeper;
  const orders: string[] = [];
  before(async () => {
    etcd = await startEtcd();
    keeper = openEtcdKeeper(keeperOptions(etcd));
  });
  after(async () => {
    await keeper.close();
    await etcd.stop();
  });

  /** Gives the exit code and what was printed, standard error after a bar. */
  async function run(line: string): Promise<string> {
    const {terminal, printed} = captureTerminal();
    const [program, ...words] = line.split(' ');
    const code = program === 'locksmithctl' ? await locksmith(words, terminal) : await ctl(words, terminal);
    const {out, notes} = printed();
    return `${code} ${out}|${notes}`;
  }

  async function locksmith(words: readonly string[], terminal: Terminal): Promise<number> {
    const parsed = parseLocksmith(words);
    assert.ok('verb' in parsed);
    const client = {
      order: (path: string, request = {}) => {
        orders.push(`${path} ${JSON.stringify(request)}`);
        return Promise.resolve({message: 'as told'});
      },
    } as unknown as EngineClient;
    return runLocksmith(parsed.verb, {keeper, client, self: SELF, version: '0.1.0'}, terminal);
  }

  function ctl(words: readonly string[], terminal: Terminal): Promise<number> {
    const command = parseCommand(words);
    assert.ok(isLockCommand(command));
    return runLock(command, {keeper, self: SELF}, terminal);
  }

  it('say what locksmithctl said', async () => {
    assert.equal(await run('locksmithctl status'), '0 Available: 1\nMax: 1\n|');
    assert.equal(await run('locksmithctl set-max 2'), '0 Old-Max: 1\nMax: 2\n|');
    assert.equal(await run('locksmithctl lock'), '0 |');
    assert.equal(await run('locksmithctl lock'), '1 |Error locking: holder exists\n');
    assert.equal(await run('locksmithctl lock another'), '0 |');
    assert.equal(await run('locksmithctl lock third'), '1 |Error locking: semaphore is at 0\n');
    assert.equal(
      await run('locksmithctl status'),
      `0 Available: 0\nMax: 2\n\nMACHINE ID\n${SELF}\nanother\n|`,
    );
    assert.equal(await run('locksmithctl set-max 1'), '0 Old-Max: 2\nMax: 1\n|');
    assert.match(await run('locksmithctl status'), /^0 Available: -1\nMax: 1\n/);
    assert.equal(await run('locksmithctl unlock another'), '0 |');
    assert.equal(await run('locksmithctl unlock another'), '1 |Error unlocking: holder does not exist\n');
    assert.equal(await run('locksmithctl reboot'), '0 |as told\n');
    assert.equal(await run('locksmithctl send-need-reboot'), '0 |as told\n');
    assert.deepEqual(orders, ['/v1/reboot {"now":true}', '/v1/reboot {}']);
    assert.equal(await run('locksmithctl --version'), '0 locksmithctl version 0.1.0\n|');
  });

  it('show who holds it, since when and why, and who waits', async () => {
    assert.match(await run('caissonctl lock free'), /does not hold the lock any more/);
    assert.match(await run('caissonctl lock take one --reason maintenance'), /^0 one holds the lock/);
    assert.match(await run('caissonctl lock take'), /^5 the lock is taken/);
    await keeper.group().acquire(SELF, {reason: 'update', version: '1.0.0'}, new AbortController().signal);
    const text = await run('caissonctl lock');
    assert.match(text, /available +0 of 1\n/);
    assert.match(text, /held by +one +since \S+ s +maintenance\n/);
    assert.match(text, new RegExp(`waiting +1\\. ${SELF} \\(this host\\) +since`));
    const view = JSON.parse((await run('caissonctl lock status --json')).slice(2, -1)) as {
      holders: {id: string; reason: string}[];
      waiting: {position: number}[];
    };
    assert.deepEqual([view.holders[0]?.reason, view.waiting[0]?.position], ['maintenance', 1]);
    assert.match(await run('caissonctl lock set-max 3'), /at most 3 at once, before 1/);
    assert.match(await run('caissonctl lock set-expiry 24h'), /dropped after 86400 s/);
    assert.match(await run('caissonctl lock'), /expiry +holders are dropped after 24 h/);
    assert.match(await run('caissonctl lock set-expiry off'), /stay until they let go/);
    assert.match(await run('caissonctl lock groups'), /\(no group\)/);
  });
});

describe('parseLocksmith', () => {
  it('takes flags with one hyphen or two, before the command or after it', () => {
    assert.deepEqual(parseLocksmith(['-endpoint', 'http://a:1', '--group=b', 'lock', 'me']), {
      verb: {kind: 'lock', id: 'me'},
      flags: {endpoint: 'http://a:1', group: 'b'},
    });
    assert.deepEqual(parseLocksmith(['status', '-etcd-cafile', '/ca.pem']), {
      verb: {kind: 'status'},
      flags: {'etcd-cafile': '/ca.pem'},
    });
  });

  it('ends with 2 for what it does not know, and with 1 for a number that is none', () => {
    const codeOf = (...words: string[]): unknown => {
      const parsed = parseLocksmith(words);
      return 'code' in parsed ? parsed.code : null;
    };
    assert.deepEqual(
      [codeOf('dance'), codeOf('-colour'), codeOf('set-max', 'x'), codeOf('set-max')],
      [2, 2, 1, 1],
    );
  });
});
