import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {parseHealthSettings} from '../../../../update-engine/health/settings.ts';

function parse(variables: Record<string, string>): {settings: unknown; warnings: string[]} {
  const warnings: string[] = [];
  return {settings: parseHealthSettings(variables, (text) => warnings.push(text)), warnings};
}

describe('parseHealthSettings', () => {
  it('has defaults', () => {
    assert.deepEqual(parse({}), {
      settings: {deadlineMs: 300_000, executableTimeoutMs: 60_000, ignoredUnits: []},
      warnings: [],
    });
  });

  it('takes what health.conf says', () => {
    const {settings, warnings} = parse({
      HEALTH_DEADLINE: '900',
      HEALTH_EXECUTABLE_TIMEOUT: '5',
      HEALTH_IGNORE_UNITS: 'etcd.service, nftables.service  my@one.service',
    });
    assert.deepEqual(settings, {
      deadlineMs: 900_000,
      executableTimeoutMs: 5_000,
      ignoredUnits: ['etcd.service', 'nftables.service', 'my@one.service'],
    });
    assert.deepEqual(warnings, []);
  });

  for (const value of ['0', '9', '901', '-300', '5min', '300 ', '1e2', 'x'.repeat(1000)]) {
    it(`warns about the deadline ${JSON.stringify(value.slice(0, 10))} and uses the default`, () => {
      const {settings, warnings} = parse({HEALTH_DEADLINE: value});
      assert.equal((settings as {deadlineMs: number}).deadlineMs, 300_000);
      assert.match(warnings.join(), /^HEALTH_DEADLINE=.{1,100} is not a number of seconds from 10 to 900/);
    });
  }

  it('passes over what is no unit, with a warning', () => {
    const {settings, warnings} = parse({HEALTH_IGNORE_UNITS: 'good.service bad/one "quoted"'});
    assert.deepEqual((settings as {ignoredUnits: string[]}).ignoredUnits, ['good.service']);
    assert.match(warnings.join(), /names 2 that are no units/);
  });
});
