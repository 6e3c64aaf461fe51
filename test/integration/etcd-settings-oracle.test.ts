/** The settings that a cloud-config may give to etcd are those that the release's etcd has. Needs etcd. */
import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {ETCD_SETTINGS, ETCD_SWITCHES, OLD_ETCD_SETTINGS} from '../../formats/cloud-config/etcd-names.ts';
import {exec} from '../../platform/exec.ts';
import {etcdPrograms} from '../support/etcd-programs.ts';

describe('the settings of etcd', () => {
  it('are the flags of the real one', async () => {
    const {etcd} = await etcdPrograms();
    const {stdout, stderr} = await exec([etcd, '--help']);
    const lines = `${stdout}\n${stderr}`.split('\n');
    const flags = lines.flatMap((line) => /^ *--([a-z0-9-]+)/.exec(line)?.[1]?.replaceAll('-', '_') ?? []);
    assert.ok(flags.length > 80, `${flags.length} flags`);
    const stable = flags.filter((flag) => !flag.startsWith('experimental_'));
    assert.deepEqual([...ETCD_SETTINGS].sort(), [...new Set(stable)].sort());
    const old = Object.keys(OLD_ETCD_SETTINGS);
    assert.deepEqual(
      old.filter((name) => flags.includes(name)),
      [],
      'it is not old at all',
    );
    const known = new Set([...ETCD_SETTINGS, ...old]);
    assert.deepEqual(
      [...ETCD_SWITCHES].filter((name) => !known.has(name)),
      [],
    );
  });
});
