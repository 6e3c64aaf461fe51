import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {parseRebootSettings} from '../../../../formats/reboot-settings.ts';
import {HostZoneError} from '../../../../platform/host-zone.ts';
import type {GateAnswer} from '../../../../update-engine/reboot/gate.ts';
import {createWindowGate} from '../../../../update-engine/reboot/window.ts';

function ask(windows: string, now: string, hostZone = () => Promise.resolve('UTC')): Promise<GateAnswer> {
  const {settings} = parseRebootSettings(new Map([['REBOOT_WINDOWS', windows]]));
  const gate = createWindowGate({windows: () => settings.windows, hostZone, now: () => Date.parse(now)});
  const plan = {kind: 'update', version: '2.0.0', previousVersion: '1.0.0'} as const;
  return gate.ask(plan, new AbortController().signal);
}

describe('the gate of windows', () => {
  it('is open without any', async () => {
    assert.deepEqual(await ask('', '2026-01-05T00:00Z'), {
      kind: 'open',
      detail: 'no window is set',
      againMs: null,
    });
  });

  it('tells until when it is open, in the zone of the window', async () => {
    assert.deepEqual(await ask('02:00+2h Europe/Berlin', '2026-01-05T01:30Z'), {
      ...{kind: 'open', detail: 'the window is open until Mon 04:00 (Europe/Berlin)', againMs: null},
    });
  });

  it('tells when it opens, and looks again in time', async () => {
    const detail = 'the window opens Mon 02:00 (Asia/Kathmandu)';
    const zone = (): Promise<string> => Promise.resolve('Asia/Kathmandu');
    assert.deepEqual(await ask('Mon 02:00+2h', '2026-01-04T20:14Z', zone), {
      kind: 'closed',
      detail,
      againMs: 60_000,
    });
    assert.deepEqual(await ask('Mon 02:00+2h', '2026-01-04T10:14Z', zone), {
      kind: 'closed',
      detail,
      againMs: 300_000,
    });
  });

  it('is not known with a window that makes no sense, or in a zone that nobody knows', async () => {
    const bad = await ask('always', '2026-01-04T20:14Z');
    assert.equal(bad.kind, 'unknown');
    assert.match(bad.detail, /^REBOOT_WINDOWS="always" has "always"/);
    const lost = (): Promise<string> =>
      Promise.reject(new HostZoneError('unknown-zone', 'the zone is not known', {hint: 'timedatectl'}));
    const unknown = await ask('02:00+2h', '2026-01-04T20:14Z', lost);
    assert.deepEqual([unknown.kind, unknown.detail], ['unknown', 'the zone is not known (timedatectl)']);
    // Nobody asked for it.
    assert.equal((await ask('02:00+2h UTC', '2026-01-04T02:14Z', lost)).kind, 'open');
  });
});
