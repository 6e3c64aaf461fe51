/** Who may use the lock in etcd: users with passwords, and TLS with certificates on both sides. */
import assert from 'node:assert/strict';
import {copyFile, mkdtemp, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {after, before, describe, it} from 'node:test';
import {openEtcdKeeper} from '../../coordination/etcd-lock.ts';
import {LockError} from '../../coordination/lock.ts';
import type {EtcdSettings} from '../../formats/reboot-settings.ts';
import {type EtcdCluster, startEtcd} from '../support/etcd.ts';
import {keeperOptions, refusesLock} from '../support/etcd-lock.ts';
import {type CertificateFiles, type TestCa, makeTestCa} from '../support/test-ca.ts';

const never = new AbortController().signal;
const ASK = {reason: 'update', version: '1.2.3'};

/** One try at taking and giving back a slot, with a connection of its own. */
async function tryLock(
  etcd: {endpoints: readonly string[]},
  settings: Partial<EtcdSettings>,
): Promise<string> {
  const keeper = openEtcdKeeper(keeperOptions(etcd, {group: 'access', ...settings}));
  try {
    const {kind} = await keeper.group().acquire('host', ASK, never);
    await keeper.group().release('host', never);
    return kind;
  } finally {
    await keeper.close();
  }
}

describe('settings that cannot work', () => {
  const refuses = (settings: Partial<EtcdSettings>, pattern: RegExp): void => {
    const options = keeperOptions({endpoints: ['http://127.0.0.1:2379']}, settings);
    assert.throws(
      () => openEtcdKeeper(options).group(),
      (error) => error instanceof LockError && error.code === 'settings' && pattern.test(error.message),
    );
  };

  it('are named before etcd is asked', () => {
    refuses({endpoints: []}, /no endpoint/);
    refuses({endpoints: ['10.0.0.1:2379']}, /"10.0.0.1:2379" is not the address/);
    refuses({endpoints: ['ftp://10.0.0.1']}, /not the address/);
    refuses({certFile: '/a.crt'}, /needs its key/);
    refuses({username: 'u'}, /needs a password/);
    refuses({group: 'a\nb'}, /name of a group/);
  });
});

describe('users', () => {
  let etcd: EtcdCluster;
  const root = ['--user', 'root:secret'];
  before(async () => {
    // Tokens that end after seconds: the client has to fetch another.
    etcd = await startEtcd({args: ['--auth-token-ttl=1']});
    await etcd.etcdctl('user', 'add', 'root:secret');
    await etcd.etcdctl('user', 'grant-role', 'root', 'root');
    await etcd.etcdctl('user', 'add', 'caisson:pass');
    await etcd.etcdctl('user', 'add', 'other:pass');
    await etcd.etcdctl('role', 'add', 'reboots');
    await etcd.etcdctl(
      'role',
      'grant-permission',
      'reboots',
      '--prefix=true',
      'readwrite',
      'coreos.com/updateengine/rebootlock/',
    );
    await etcd.etcdctl('user', 'grant-role', 'caisson', 'reboots');
  });
  after(() => etcd.stop());

  it('do not matter while etcd has them switched off', async () => {
    assert.equal(await tryLock(etcd, {username: 'caisson', password: 'wrong'}), 'held');
  });

  it('are let in with their password and the right to the prefix', async () => {
    const early = openEtcdKeeper(
      keeperOptions(etcd, {group: 'early', username: 'caisson', password: 'pass'}),
    );
    assert.equal((await early.group().acquire('a', ASK, never)).kind, 'held');
    await etcd.etcdctl('auth', 'enable');
    // The one that asked before there were users finds out by itself.
    assert.equal((await early.group().acquire('b', ASK, never)).kind, 'full');
    assert.equal(await early.group().release('a', never), 'released');
    await early.close();
    assert.equal(await tryLock(etcd, {username: 'caisson', password: 'pass'}), 'held');
  });

  it('fetch another token when theirs is over', async () => {
    const keeper = openEtcdKeeper(
      keeperOptions(etcd, {group: 'token', username: 'caisson', password: 'pass'}),
    );
    assert.equal((await keeper.group().acquire('a', ASK, never)).kind, 'held');
    // Members forget the tokens of before when they start.
    await etcd.members[0]?.kill();
    await etcd.members[0]?.start();
    assert.equal((await keeper.group().acquire('a', ASK, never)).kind, 'held');
    await etcd.etcdctl(...root, 'user', 'add', 'another:pass');
    assert.equal((await keeper.group().acquire('b', ASK, never)).kind, 'full');
    await keeper.close();
  });

  it('are refused by name', async () => {
    await refusesLock('credentials', /user name is empty/, tryLock(etcd, {}));
    const wrong = {username: 'caisson', password: 'wrong'};
    const error = await refusesLock('credentials', /invalid user ID or password/, tryLock(etcd, wrong));
    assert.match(error.hint ?? '', /name and the password/);
    assert.doesNotMatch(error.message, /wrong/);
    const other = {username: 'other', password: 'pass'};
    const denied = await refusesLock('credentials', /permission denied/, tryLock(etcd, other));
    assert.match(denied.hint ?? '', /readwrite on the prefix/);
  });
});

describe('TLS', () => {
  let folder: string;
  let ca: TestCa;
  let client: CertificateFiles;
  let etcd: EtcdCluster;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'etcd-tls-'));
    ca = await makeTestCa(folder, 'ca');
    client = await ca.issue('client');
    etcd = await startEtcd({tls: {ca: ca.ca, ...(await ca.issue('server'))}, wantsClientCertificates: true});
  });
  after(async () => {
    await etcd.stop();
    await rm(folder, {recursive: true});
  });

  const good = (): Partial<EtcdSettings> => ({caFile: ca.ca, certFile: client.cert, keyFile: client.key});

  it('works with certificates on both sides', async () => {
    assert.equal(await tryLock(etcd, good()), 'held');
  });

  it('wants to know who signed the certificate of etcd', async () => {
    const stranger = await makeTestCa(folder, 'stranger');
    const error = await refusesLock(
      'certificate',
      /127\.0\.0\.1/,
      tryLock(etcd, {...good(), caFile: stranger.ca}),
    );
    assert.match(error.hint ?? '', /CA file/);
    // Without a file it is the well-known ones that vouch.
    await refusesLock('certificate', /certificate/, tryLock(etcd, {...good(), caFile: null}));
  });

  it('shows a client certificate that etcd accepts', async () => {
    const none = {...good(), certFile: null, keyFile: null};
    await refusesLock('certificate', /client certificate/, tryLock(etcd, none));
    const stranger = await (await makeTestCa(folder, 'strange')).issue('strange-client');
    const strange = {...good(), certFile: stranger.cert, keyFile: stranger.key};
    await refusesLock('certificate', /refuses our client certificate/, tryLock(etcd, strange));
    const expired = await ca.issue('expired', {days: -1});
    const old = {...good(), certFile: expired.cert, keyFile: expired.key};
    await refusesLock(
      'certificate',
      /client certificate.*expired|refuses our client certificate/,
      tryLock(etcd, old),
    );
  });

  it('refuses a server by another name', async () => {
    const elsewhere = await ca.issue('elsewhere', {address: '127.0.0.2'});
    const other = await startEtcd({tls: {ca: ca.ca, ...elsewhere}});
    try {
      await refusesLock('certificate', /127\.0\.0\.2|altnames/i, tryLock(other, good()));
    } finally {
      await other.stop();
    }
  });

  it('names a file that is not what it should be', async () => {
    const junk = join(folder, 'junk.pem');
    await writeFile(junk, 'nothing');
    const cases: [Partial<EtcdSettings>, RegExp][] = [
      [{caFile: join(folder, 'none.crt')}, /cannot read .*none\.crt.*ENOENT/],
      [{caFile: junk}, /junk\.pem holds no certificate/],
      [{certFile: junk}, /junk\.pem holds no certificate/],
      [{keyFile: junk}, /junk\.pem holds no private key/],
      [
        {keyFile: (await ca.issue('another')).key},
        /another\.key does not belong to the certificate in .*client\.crt/,
      ],
    ];
    for (const [settings, pattern] of cases)
      await refusesLock('certificate', pattern, tryLock(etcd, {...good(), ...settings}));
  });

  it('uses a certificate that was renewed', async () => {
    const files = {cert: join(folder, 'renewed.crt'), key: join(folder, 'renewed.key')};
    const before = await ca.issue('soon-over', {days: -1});
    await copyFile(before.cert, files.cert);
    await copyFile(before.key, files.key);
    const keeper = openEtcdKeeper(
      keeperOptions(etcd, {caFile: ca.ca, certFile: files.cert, keyFile: files.key, group: 'renewed'}),
    );
    await refusesLock('certificate', /client certificate/, keeper.group().acquire('a', ASK, never));
    await copyFile(client.cert, files.cert);
    await copyFile(client.key, files.key);
    assert.equal((await keeper.group().acquire('a', ASK, never)).kind, 'held');
    await keeper.close();
  });

  it('is told from its absence', async () => {
    const [endpoint = ''] = etcd.endpoints;
    const plain = {endpoints: [endpoint.replace('https', 'http')]};
    const error = await refusesLock('unreachable', /closed/, tryLock(plain, {}));
    assert.match(error.hint ?? '', /https:/);
    const open = await startEtcd();
    try {
      const [address = ''] = open.endpoints;
      const secure = {endpoints: [address.replace('http', 'https')]};
      const closed = await refusesLock('unreachable', /disconnected/, tryLock(secure, good()));
      assert.match(closed.hint ?? '', /http:/);
    } finally {
      await open.stop();
    }
  });
});
