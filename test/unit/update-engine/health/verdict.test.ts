import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {
  type EngineState,
  type UnitState,
  judgeEngine,
  judgeLinks,
  judgeUnits,
  parseProperties,
  parseUnitList,
} from '../../../../update-engine/health/verdict.ts';

function unit(name: string, active: string, changes: Partial<UnitState> = {}): UnitState {
  return {name, active, sub: 'x', path: `/usr/lib/systemd/system/${name}`, ...changes};
}

describe('judgeUnits', () => {
  const cases: [string, UnitState[], string[], boolean, RegExp][] = [
    ['nothing failed', [], [], true, /^$/],
    ['a unit of the release', [unit('ssh.service', 'failed')], [], false, /^failed: ssh\.service$/],
    [
      'a unit of the operator',
      [unit('web.service', 'failed', {path: '/etc/systemd/system/web.service'})],
      [],
      true,
      /^$/,
    ],
    ['a unit that systemd made up', [unit('data.mount', 'failed', {path: ''})], [], true, /^$/],
    ['one to ignore', [unit('etcd.service', 'failed')], ['etcd.service'], true, /^$/],
    [
      'one on its way',
      [unit('etcd.service', 'activating', {sub: 'auto-restart'})],
      [],
      false,
      /^still starting: etcd\.service \(auto-restart\)$/,
    ],
    ['the check itself', [unit('caisson-health.service', 'activating')], [], true, /^$/],
    [
      'failure before delay',
      [unit('a.service', 'activating'), unit('b.service', 'failed')],
      [],
      false,
      /^failed: b\.service$/,
    ],
    [
      'many',
      Array.from({length: 7}, (_, n) => unit(`u${n}.service`, 'failed')),
      [],
      false,
      /u4\.service and 2 more$/,
    ],
  ];
  for (const [name, units, ignored, passed, detail] of cases) {
    it(name, () => {
      const verdict = judgeUnits(units, ignored);
      assert.equal(verdict.passed, passed);
      assert.match(verdict.detail, detail);
    });
  }
});

describe('judgeUnits of units that wait for other machines', () => {
  it('lets them be on their way, but not fail', () => {
    const etcd = (active: string): UnitState[] => [unit('etcd.service', active)];
    assert.equal(judgeUnits(etcd('activating'), [], ['etcd.service']).passed, true);
    assert.equal(judgeUnits(etcd('failed'), [], ['etcd.service']).passed, false);
    assert.equal(
      judgeUnits([...etcd('activating'), unit('a.service', 'activating')], [], ['etcd.service']).passed,
      false,
    );
  });
});

describe('judgeEngine', () => {
  const running: EngineState = {
    loadState: 'loaded',
    unitFileState: 'enabled',
    active: 'active',
    sub: 'running',
    restarts: 0,
    activeForMs: 60_000,
  };
  const cases: [string, Partial<EngineState>, boolean, RegExp][] = [
    ['runs', {}, true, /^$/],
    ['has just started', {activeForMs: 4_999}, false, /4999 ms only$/],
    ['settled after crashes', {restarts: 3}, true, /^$/],
    [
      'crashes again and again',
      {active: 'activating', sub: 'auto-restart', restarts: 4, activeForMs: null},
      false,
      /activating \(auto-restart\), started again 4 times/,
    ],
    ['failed', {active: 'failed', sub: 'failed', activeForMs: null}, false, /is failed/],
    [
      'was never started',
      {active: 'inactive', sub: 'dead', activeForMs: null},
      false,
      /is inactive \(dead\)/,
    ],
    ['is masked', {loadState: 'masked', active: 'inactive', activeForMs: null}, true, /masked/],
    ['is disabled', {unitFileState: 'disabled', active: 'inactive', activeForMs: null}, true, /disabled/],
    [
      'has a bad unit',
      {loadState: 'bad-setting', active: 'inactive', activeForMs: null},
      false,
      /is bad-setting/,
    ],
    [
      'is not there',
      {loadState: 'not-found', unitFileState: '', active: 'inactive', activeForMs: null},
      false,
      /is not-found/,
    ],
  ];
  for (const [name, changes, passed, detail] of cases) {
    it(name, () => {
      const verdict = judgeEngine({...running, ...changes});
      assert.equal(verdict.passed, passed, verdict.detail);
      assert.match(verdict.detail, detail);
    });
  }
});

describe('judgeLinks', () => {
  const link = (
    Name: string,
    AdministrativeState: string,
    OperationalState: string,
    Type = 'ether',
  ): object => ({
    Name,
    Type,
    AdministrativeState,
    OperationalState,
  });
  const lo = link('lo', 'unmanaged', 'carrier', 'loopback');
  const cases: [string, object[], boolean, RegExp][] = [
    ['routable', [lo, link('enp0s2', 'configured', 'routable')], true, /enp0s2 is routable/],
    ['only link-local', [link('enp0s2', 'configured', 'degraded')], true, /degraded/],
    [
      'one of two',
      [link('a', 'configuring', 'no-carrier'), link('b', 'configured', 'routable')],
      true,
      /^b /,
    ],
    ['part of a bond', [link('a', 'configured', 'enslaved')], true, /enslaved/],
    ['waits for an address', [lo, link('a', 'configuring', 'carrier')], false, /a is configuring, carrier/],
    ['failed', [link('a', 'failed', 'off')], false, /a is failed, off/],
    [
      'nothing managed',
      [lo, link('docker0', 'unmanaged', 'no-carrier', 'bridge')],
      true,
      /no link is managed/,
    ],
    ['no links', [], true, /no link is managed/],
  ];
  for (const [name, Interfaces, passed, detail] of cases) {
    it(name, () => {
      const verdict = judgeLinks(JSON.stringify({Interfaces}));
      assert.equal(verdict.passed, passed);
      assert.match(verdict.detail, detail);
    });
  }
  for (const text of ['', 'null', '{}', '{"Interfaces":[{}]}', '[1]'])
    it(`does not pass on ${JSON.stringify(text)}`, () => assert.equal(judgeLinks(text).passed, false));
});

describe('what systemctl says', () => {
  it('is a list of names', () => {
    assert.deepEqual(parseUnitList('[{"unit":"a.service","load":"loaded"},{"unit":"b.device"}]'), [
      'a.service',
      'b.device',
    ]);
    for (const text of ['', '{}', '[{}]', '[{"unit":""}]']) assert.throws(() => parseUnitList(text));
  });

  it('is properties in blocks', () => {
    const blocks = parseProperties('Id=a.service\nFragmentPath=/x=y\n\nId=b.service\nFragmentPath=\n');
    assert.deepEqual(
      blocks.map((block) => Object.fromEntries(block)),
      [
        {Id: 'a.service', FragmentPath: '/x=y'},
        {Id: 'b.service', FragmentPath: ''},
      ],
    );
  });
});
