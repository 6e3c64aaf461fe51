/** Health checks on real hosts that are good; for releases on trial see update.test.ts and ../vm-long/health.test.ts. */
import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {healthSchema, type HealthReport} from '../../update-engine/state/documents.ts';
import type {Guest} from './support/guest.ts';
import {releaseImage} from './support/paths.ts';
import {firstRelease, readRelease} from './support/releases.ts';
import {withSharedGuest} from './support/shared-guest.ts';

const image = releaseImage();

async function readReport(guest: Guest): Promise<HealthReport> {
  return healthSchema.parse(JSON.parse(await guest.run(['cat', '/var/lib/caisson/update/health.json'])));
}

async function property(guest: Guest, unit: string, name: string): Promise<string> {
  return (await guest.run(['systemctl', 'show', `--property=${name}`, '--value', unit])).trim();
}

async function bitsInGuest(guest: Guest): Promise<string> {
  return (await guest.runAsRoot(['sfdisk', '--part-attrs', '/dev/vda', '2'])).trim();
}

describe('a host that is good already', () => {
  it('passes its checks, reaches boot-complete, and leaves the slot as it is', async (t) => {
    await withSharedGuest(t, {image}, async (guest) => {
      assert.equal(await property(guest, 'boot-complete.target', 'ActiveState'), 'active');
      assert.equal(await property(guest, 'update-engine.service', 'ActiveState'), 'active');
      assert.equal(await property(guest, 'update-engine.service', 'NRestarts'), '0');
      const report = await readReport(guest);
      const release = await readRelease(firstRelease());
      assert.deepEqual(
        [report.outcome, report.slot, report.version, report.buildId],
        ['good', 'A', release.version, release.buildId],
      );
      assert.equal(report.bootId, await guest.bootId());
      assert.deepEqual(
        report.checks.map(({name, passed}) => `${name} ${passed}`),
        ['slot', 'units', 'update-engine', 'disk', 'network', 'containers'].map((name) => `${name} true`),
      );
      // Nothing was started for it: this slot needs no proof.
      assert.equal(await property(guest, 'containerd.service', 'ActiveState'), 'inactive');
      assert.equal(await property(guest, 'caisson-mark-good.service', 'ConditionResult'), 'no');
      assert.match(await bitsInGuest(guest), /^GUID:48,56$/);
    });
  });

  it('says so when a check fails, and stays up', async (t) => {
    await withSharedGuest(t, {image}, async (guest) => {
      const before = await guest.bootId();
      await guest.runAsRoot([
        'sh',
        '-c',
        `mkdir -p /etc/caisson/health.d
         printf '#!/bin/sh\\nexit 0\\n' > /etc/caisson/health.d/10-fine
         printf '#!/bin/sh\\necho the shop is closed >&2\\nexit 7\\n' > /etc/caisson/health.d/20-shop
         printf '#!/bin/sh\\nsleep 60\\n' > /etc/caisson/health.d/30-slow
         chmod +x /etc/caisson/health.d/*
         printf 'HEALTH_DEADLINE=60\\nHEALTH_EXECUTABLE_TIMEOUT=2\\n' > /etc/caisson/health.conf`,
      ]);
      const restart = await guest.ssh.run(['sudo', 'systemctl', 'restart', 'caisson-health.service']);
      assert.notEqual(restart.exitCode, 0);
      const report = await readReport(guest);
      assert.equal(report.outcome, 'failed');
      assert.deepEqual(
        report.checks.filter(({passed}) => !passed).map(({name, detail}) => `${name}: ${detail}`),
        ['health.d/20-shop: exit code 7: the shop is closed', 'health.d/30-slow: did not end within 2 s'],
      );
      assert.match(
        await guest.runAsRoot(['journalctl', '--boot', '--unit=caisson-health.service', '--output=cat']),
        /its release was found good before and stays/,
      );
      // What gives releases up was asked, and passed itself over.
      const asked = ['journalctl', '--boot', '--unit=caisson-rollback.service', '--output=cat'] as const;
      assert.match(await guest.runAsRoot(asked), /skipped|ExecCondition/i);
      assert.equal(await property(guest, 'caisson-rollback.service', 'ActiveState'), 'inactive');
      assert.match(await bitsInGuest(guest), /^GUID:48,56$/);
      assert.equal(await guest.bootId(), before);
    });
  });
});
