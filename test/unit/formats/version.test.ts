import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {compareVersions, isVersion} from '../../../formats/version.ts';

describe('isVersion', () => {
  it('takes semantic versions that are file names as well', () => {
    for (const text of ['0.0.0', '1.4.0', '10.20.30', '1.4.0-rc.1', '2026.11.9', '1.0.0-0.3.7', '1.0.0-x-y'])
      assert.equal(isVersion(text), true, text);
  });

  it('refuses all else', () => {
    const bad = ['', '1', '1.0', '1.0.0.0', 'v1.0.0', '=1.0.0', ' 1.0.0', '1.0.0\n', '01.0.0', '1.0.0-01'];
    for (const text of [...bad, '1.0.0+x', '1.0.0-RC', '../1.0.0', `1.0.0-${'x'.repeat(130)}`])
      assert.equal(isVersion(text), false, text);
  });
});

describe('compareVersions', () => {
  it('orders by numbers, with candidates before their release', () => {
    const ordered = [
      '0.9.0',
      '1.0.0-alpha',
      '1.0.0-alpha.1',
      '1.0.0-beta.2',
      '1.0.0-beta.11',
      '1.0.0',
      '1.2.0',
      '1.10.0',
    ];
    assert.deepEqual([...ordered].reverse().sort(compareVersions), ordered);
  });
});
