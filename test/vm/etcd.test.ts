/** etcd as the host's unit: the v2 conversation that CoreOS tools had, and the same through v3. */
import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import type {Guest} from './support/guest.ts';
import {releaseImage} from './support/paths.ts';
import {withSharedGuest} from './support/shared-guest.ts';

const image = releaseImage();
const LONG = {deadlineMs: 300_000};
const KEYS = 'http://127.0.0.1:2379/v2/keys';

interface Answer {
  status: number;
  index: number;
  body: {
    action?: string;
    errorCode?: number;
    node?: {value?: string; modifiedIndex: number};
    prevNode?: {value: string};
  };
}

async function v2(guest: Guest, path: string, ...options: string[]): Promise<Answer> {
  const text = await guest.run(
    ['curl', '-sS', '-i', '-L', '--max-time', '60', ...options, KEYS + path],
    LONG,
  );
  const [head = '', body = ''] = text.split('\r\n\r\n');
  return {
    status: Number(/^HTTP\/1\.1 (\d+)/.exec(head)?.[1]),
    index: Number(/^X-Etcd-Index: (\d+)/im.exec(head)?.[1]),
    body: JSON.parse(body) as Answer['body'],
  };
}

describe('etcd.service', () => {
  it('is installed and off', async (t) => {
    await withSharedGuest(t, {image}, async (guest) => {
      assert.equal(
        (await guest.ssh.run(['systemctl', 'is-enabled', 'etcd.service'])).stdout.trim(),
        'disabled',
      );
      assert.equal(
        (await guest.ssh.run(['systemctl', 'is-active', 'etcd.service'])).stdout.trim(),
        'inactive',
      );
    });
  });

  it('speaks v2 when told to, as hosts of the lineage expect', async (t) => {
    await withSharedGuest(t, {image}, async (guest) => {
      await guest.runAsRoot(['sh', '-c', 'echo ETCD_ENABLE_V2=true > /etc/caisson/etcd.env']);
      await guest.runAsRoot(['systemctl', 'start', 'etcd.service'], LONG);

      const put = await v2(guest, '/message', '-XPUT', '-d', 'value=Hello world');
      assert.deepEqual([put.status, put.body.action, put.body.node?.value], [201, 'set', 'Hello world']);
      const got = await v2(guest, '/message');
      assert.deepEqual([got.status, got.body.node?.value], [200, 'Hello world']);
      assert.ok(got.index >= (put.body.node?.modifiedIndex ?? Infinity), `X-Etcd-Index ${got.index}`);

      const waiting = v2(guest, `/message?wait=true&waitIndex=${(put.body.node?.modifiedIndex ?? 0) + 1}`);
      const changed = await v2(guest, '/message', '-XPUT', '-d', 'value=Hello etcd');
      assert.deepEqual(changed.body.prevNode?.value, 'Hello world');
      assert.equal((await waiting).body.node?.value, 'Hello etcd');

      const exists = await v2(guest, '/message?prevExist=false', '-XPUT', '-d', 'value=other');
      assert.deepEqual([exists.status, exists.body.errorCode], [412, 105]);
      const lost = await v2(guest, '/message?prevValue=wrong', '-XPUT', '-d', 'value=other');
      assert.deepEqual([lost.status, lost.body.errorCode], [412, 101]);
      const swapped = await v2(
        guest,
        `/message?prevIndex=${changed.body.node?.modifiedIndex}`,
        '-XPUT',
        '-d',
        'value=third',
      );
      assert.deepEqual([swapped.status, swapped.body.action], [200, 'compareAndSwap']);
      const kept = await v2(guest, '/message?prevValue=wrong', '-XDELETE');
      assert.equal(kept.body.errorCode, 101);
      const deleted = await v2(guest, '/message?prevValue=third', '-XDELETE');
      assert.deepEqual([deleted.status, deleted.body.action], [200, 'compareAndDelete']);
      assert.equal((await v2(guest, '/message')).body.errorCode, 100);
    });
  });

  it('does the same through v3, and runs as its own user', async (t) => {
    await withSharedGuest(t, {image}, async (guest) => {
      await guest.runAsRoot(['systemctl', 'start', 'etcd.service'], LONG);
      const etcdctl = (...args: string[]) => guest.run(['env', 'ETCDCTL_API=3', 'etcdctl', ...args], LONG);
      assert.equal(await etcdctl('put', 'message', 'Hello'), 'OK\n');
      assert.equal(await etcdctl('get', 'message'), 'message\nHello\n');
      const swap = (expected: string, value: string) =>
        guest.run(['env', 'ETCDCTL_API=3', 'etcdctl', 'txn'], {
          ...LONG,
          stdin: `value("message") = "${expected}"\n\nput message ${value}\n\nget message\n\n`,
        });
      assert.match(await swap('wrong', 'other'), /^FAILURE\n\nmessage\nHello/);
      assert.match(await swap('Hello', 'third'), /^SUCCESS\n\nOK/);
      assert.equal((await guest.run(['ps', '-o', 'user=', '-C', 'etcd'])).trim(), 'etcd');
      assert.equal((await guest.runAsRoot(['stat', '-c', '%U %a', '/var/lib/etcd'])).trim(), 'etcd 700');
      const refused = await guest.run(
        ['curl', '-s', '-o', '/dev/null', '-w', '%{http_code}', `${KEYS}/message`],
        LONG,
      );
      assert.equal(refused, '404', 'v2 is off unless asked for');
    });
  });
});
