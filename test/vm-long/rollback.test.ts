/** Every way in which a release may not come up; see test/vm/rollback.test.ts, which has the one that is not here. */
import {describe, it} from 'node:test';
import {FAULTS, type FaultName} from '../vm/support/releases.ts';
import {installAndDamage, installBroken} from '../vm/support/rollback.ts';

const names = (Object.keys(FAULTS) as FaultName[]).filter((name) => name !== 'panic');

describe('a release that does not come up', () => {
  for (const name of names) it(`is left behind: ${FAULTS[name].what}`, (t) => installBroken(t, name));

  it('is left behind: its /usr is damaged after it was installed', (t) => installAndDamage(t));
});
