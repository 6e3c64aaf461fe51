import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {
  type RejoinWorld,
  isFirstStart,
  rejoinSettings,
} from '../../../../update-engine/etcd-discovery/rejoin.ts';

const TOKEN = 'http://discovery.example.com/1';
const ENV = {
  ETCD_NAME: 'one',
  ETCD_DATA_DIR: '/var/lib/etcd',
  ETCD_DISCOVERY: TOKEN,
  ETCD_INITIAL_ADVERTISE_PEER_URLS: 'http://10.0.0.1:2380',
};

interface World extends Omit<RejoinWorld, 'hasEntries'> {
  readonly said: string[];
  readonly asked: string[];
}

/** A service that has one more member each time it is asked for them. */
function world({names = ['one', 'two', 'three'], size = '3'} = {}): World {
  const [said, asked]: [string[], string[]] = [[], []];
  let here = 0;
  return {
    said,
    asked,
    getText: (url) => {
      asked.push(url);
      if (url.endsWith('/_config/size')) return Promise.resolve(JSON.stringify({node: {value: size}}));
      here = Math.min(here + 1, names.length);
      const nodes = names.slice(0, here).map((name, index) => ({
        key: `/${name}`,
        value: `${name}=http://10.0.0.${index + 1}:2380`,
        createdIndex: index,
      }));
      return Promise.resolve(JSON.stringify({node: {nodes}}));
    },
    sleep: () => Promise.resolve(),
    say: (text) => void said.push(text),
  };
}

describe('isFirstStart', () => {
  const full =
    (...directories: string[]) =>
    (directory: string) =>
      Promise.resolve(directories.includes(directory));

  it('is one until there is a member or a proxy', async () => {
    assert.equal(await isFirstStart(ENV, {hasEntries: full()}), true);
    assert.equal(await isFirstStart(ENV, {hasEntries: full('/var/lib/etcd')}), true);
    assert.equal(await isFirstStart(ENV, {hasEntries: full('/var/lib/etcd/member/wal')}), false);
    assert.equal(await isFirstStart(ENV, {hasEntries: full('/var/lib/etcd/proxy')}), false);
    const apart = {...ENV, ETCD_WAL_DIR: '/srv/wal'};
    assert.equal(await isFirstStart(apart, {hasEntries: full('/srv/wal')}), false);
    assert.equal(await isFirstStart({}, {hasEntries: full()}), false);
  });
});

describe('rejoinSettings', () => {
  it('waits for the others and then names them all, with the URL as token', async () => {
    const there = world();
    assert.equal(
      await rejoinSettings(ENV, there),
      [
        'ETCD_DISCOVERY=',
        'ETCD_INITIAL_CLUSTER="one=http://10.0.0.1:2380,two=http://10.0.0.2:2380,three=http://10.0.0.3:2380"',
        `ETCD_INITIAL_CLUSTER_TOKEN=${TOKEN}`,
        'ETCD_INITIAL_CLUSTER_STATE=new',
        '',
      ].join('\n'),
    );
    assert.match(there.said[0] ?? '', /1 of 3 members are there/);
    assert.equal(there.said.length, 3);
  });

  it('leaves to etcd what has no URL or has not registered', async () => {
    for (const env of [
      {...ENV, ETCD_DISCOVERY: ''},
      {...ENV, ETCD_INITIAL_ADVERTISE_PEER_URLS: undefined},
    ]) {
      const there = world();
      assert.equal(await rejoinSettings(env, there), null);
      assert.deepEqual(there.asked, []);
    }
    assert.equal(await rejoinSettings({...ENV, ETCD_NAME: 'four'}, world()), null);
    assert.equal(await rejoinSettings(ENV, world({names: ['two'], size: '1'})), null);
  });

  it('does not hide a service that is away', async () => {
    const away = {...world(), getText: () => Promise.reject(new Error('refused'))};
    await assert.rejects(rejoinSettings(ENV, away), /refused/);
  });
});
