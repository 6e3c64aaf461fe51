import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {formatMetrics} from '../../../../update-engine/api/metrics.ts';
import {sampleStatus} from '../../../support/status-sample.ts';

describe('formatMetrics', () => {
  const text = formatMetrics(sampleStatus());

  it('gives one state the value 1', () => {
    const states = [...text.matchAll(/^caisson_update_state\{state="(\w+)"\} ([01])$/gm)];
    assert.equal(states.length, 8);
    assert.deepEqual(
      states.filter(([, , value]) => value === '1').map(([, state]) => state),
      ['IDLE'],
    );
  });

  it('follows the text format: help and type before samples, a newline at the end', () => {
    assert.ok(text.endsWith('\n') && !text.endsWith('\n\n'));
    const seen = new Set<string>();
    for (const line of text.trimEnd().split('\n')) {
      const [, kind, name] = /^# (HELP|TYPE) (\w+) /.exec(line) ?? [];
      if (kind === 'HELP') assert.ok(!seen.has(name ?? ''), name);
      if (kind === 'TYPE') seen.add(name ?? '');
      if (kind !== undefined) continue;
      const sample = /^(\w+)(\{(\w+="([^"\\\n]|\\.)*",?)*\})? -?[\d.e+]+$/.exec(line);
      assert.ok(sample !== null && seen.has(sample[1] ?? ''), line);
    }
  });

  it('tells a release that is held back, until the server does not say so any more', () => {
    const hold = {version: '1.5.0', reason: 'pace', position: 12, notBefore: 1_800_000_000, detail: 'wait'};
    const held = formatMetrics(sampleStatus({lastOffer: {at: 0, version: '1.5.0', hold}}));
    assert.match(held, /^caisson_update_held\{reason="pace",version="1\.5\.0"\} 1$/m);
    assert.match(held, /^caisson_update_held_position 12$/m);
    assert.match(held, /^caisson_update_held_not_before_seconds 1800000000$/m);
    assert.doesNotMatch(text, /caisson_update_held/);
  });

  it('escapes what comes from elsewhere', () => {
    const {os} = sampleStatus();
    const odd = formatMetrics(sampleStatus({os: {...os, channel: 'a"b\\c\nd'}}));
    assert.match(odd, /channel="a\\"b\\\\c\\nd"/);
  });
});
