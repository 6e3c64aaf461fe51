/** The ids of hosts by systemd and by openssl. */
import assert from 'node:assert/strict';
import {mkdtemp, readFile, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {describe, it} from 'node:test';
import {FLEET_LOCK_APPLICATION, fleetLockId} from '../../coordination/fleet-lock/client.ts';
import {appSpecificId} from '../../formats/app-specific-id.ts';
import {exec} from '../../platform/exec.ts';
import {skipWithout} from '../support/tool.ts';

const MACHINES = ['69d27b356a94476da859461d3a3bc6fd', '0123456789abcdef0123456789abcdef', 'f'.repeat(32)];

/** sd_id128_get_machine_app_specific(3), by openssl. */
async function byOpenssl(machine: string, application: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'app-id-'));
  try {
    const path = join(folder, 'application');
    await writeFile(path, Buffer.from(application, 'hex'));
    const key = ['-mac', 'HMAC', '-macopt', `hexkey:${machine}`] as const;
    const {stdout} = await exec(['openssl', 'dgst', '-sha256', ...key, '-r', path]);
    const digits = [...stdout.slice(0, 32)];
    digits[12] = '4';
    digits[16] = ((Number.parseInt(digits[16] ?? '0', 16) & 3) | 8).toString(16);
    return digits.join('');
  } finally {
    await rm(folder, {recursive: true});
  }
}

describe('app-specific ids', {skip: await skipWithout(['openssl'], 'openssl')}, () => {
  it('are those of openssl', async () => {
    for (const machine of MACHINES)
      assert.equal(fleetLockId(machine), await byOpenssl(machine, FLEET_LOCK_APPLICATION));
  });
});

describe('app-specific ids of this machine', {skip: await skipWithout(['systemd-id128'], 'systemd')}, () => {
  it('are those of systemd', async (t) => {
    const machine = await readFile('/etc/machine-id', 'utf8').then(
      (text) => text.trim(),
      () => '',
    );
    if (!/^[0-9a-f]{32}$/.test(machine)) return t.diagnostic('this machine has no id');
    const argv = ['systemd-id128', 'machine-id', `--app-specific=${FLEET_LOCK_APPLICATION}`] as const;
    const {stdout} = await exec(argv);
    assert.equal(appSpecificId(machine, FLEET_LOCK_APPLICATION), stdout.trim());
  });
});
