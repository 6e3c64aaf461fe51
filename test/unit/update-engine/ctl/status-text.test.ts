import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {formatStatus} from '../../../../update-engine/ctl/status-text.ts';
import {PENDING} from '../../../support/engine-samples.ts';
import {AT, sampleStatus} from '../../../support/status-sample.ts';

describe('formatStatus', () => {
  it('says what runs, what comes next and when it was looked for', () => {
    assert.equal(
      formatStatus(sampleStatus(), AT, false),
      [
        'running     1.4.0 (b4) in slot A, good',
        'next boot   slot A: 1.4.0',
        'state       IDLE, since 1 min 0 s ago',
        'last check  1 min 0 s ago: nothing newer',
        '',
      ].join('\n'),
    );
  });

  it('explains the rest', () => {
    const text = formatStatus(sampleStatus(), AT, true);
    assert.match(text, /^slot B {6}1\.3\.0 \(b3\); priority 1, tries 0, successful$/m);
    assert.match(text, /^because {5}priority 2 and known to be good/m);
    assert.match(text, /^next check {2}in 30 min 0 s$/m);
    assert.match(text, /^reboots {5}strategy reboot$/m);
  });

  it('shows progress, reasons, errors and denied versions', () => {
    const text = formatStatus(
      sampleStatus({
        state: 'DOWNLOADING',
        offer: {version: '1.5.0', bytes: 200_000_000},
        progress: {doneBytes: 50_000_000, totalBytes: 200_000_000, bytesPerSecond: 1e6, secondsLeft: 150},
        waiting: ['it rains'],
        pending: {...PENDING, installedAt: AT - 1000},
        lastError: {
          at: AT - 5000,
          stage: 'download',
          code: 9,
          message: 'broke off',
          hint: 'look at the cable',
        },
        denied: [{version: '1.4.5', buildId: null, reason: 'slow', at: AT}],
      }),
      AT,
      false,
    );
    assert.match(text, /^state +DOWNLOADING 1\.5\.0 \(200 MB\)/m);
    assert.match(text, /^progress +50\.0 MB of 200 MB \(25 %\), 1\.00 MB\/s, 2 min 30 s left$/m);
    assert.match(text, /^waiting +it rains$/m);
    assert.match(text, /^last error +5\.0 s ago, at download: broke off \(look at the cable\)$/m);
    assert.match(text, /^denied +1\.4\.5: slow$/m);
  });

  it('explains why the server holds a release back, in which place, and until when', () => {
    const hold = {
      version: '1.5.0',
      reason: 'pace',
      position: 12,
      notBefore: AT / 1000 + 7200,
      detail: 'it is not its turn',
    };
    const lastOffer = {at: AT - 60_000, version: '1.5.0', hold};
    const text = formatStatus(sampleStatus({lastOffer}), AT, true);
    assert.match(text, /^held back +1\.5\.0, pace: it is not its turn \(as of 1 min 0 s ago\)$/m);
    assert.match(text, /^ {2}position +12 in line$/m);
    assert.match(text, /^ {2}earliest +in 2 h: Sat 11:00 \(UTC\)$/m);
    const halted = {...hold, reason: 'halted', position: null, notBefore: null};
    const other = formatStatus(sampleStatus({lastOffer: {...lastOffer, hold: halted}}), AT, true);
    assert.match(other, /^ {2}position +in no line$/m);
    assert.match(other, /^ {2}earliest +not known$/m);
    for (const none of [null, {...lastOffer, hold: null}])
      assert.doesNotMatch(formatStatus(sampleStatus({lastOffer: none}), AT, true), /held back/);
  });

  it('says that a slot is on trial, and that nothing is known', () => {
    const text = formatStatus(sampleStatus({isGood: false, nextBoot: null}), AT, false);
    assert.match(text, /in slot A, on trial: not found good yet/);
    assert.match(text, /^next boot +unknown/m);
  });
});
