/**
 * A release that does not come up, installed by a real update: the host is back on the old one without anybody's help,
 * says why, and does not take the bad one again. The other faults are in test/vm-long; one that the host itself gives
 * up is in health.test.ts.
 */
import {describe, it} from 'node:test';
import {FAULTS} from './support/releases.ts';
import {installBroken} from './support/rollback.ts';

describe('a release that does not come up', () => {
  it(`is left behind: ${FAULTS.panic.what}`, (t) => installBroken(t, 'panic'));
});
