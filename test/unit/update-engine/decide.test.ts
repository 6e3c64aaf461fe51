import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {
  type Candidate,
  type HostFacts,
  type Policy,
  type SlotRelease,
  decide,
} from '../../../update-engine/decide.ts';

const SLOTS: readonly SlotRelease[] = [
  {letter: 'A', isRunning: true, isGood: true, version: '1.4.0'},
  {letter: 'B', isRunning: false, isGood: true, version: '1.3.0'},
];
const HOST: HostFacts = {
  product: 'caisson',
  architecture: 'x86-64',
  version: '1.4.0',
  sourceDate: 1_000_000,
  slots: SLOTS,
  denied: [{version: '1.6.0', buildId: 'b', reason: 'it did not come up', at: 1}],
};
const POLICY: Policy = {pin: null, highest: null, allowDowngrade: false, wanted: null};
const CANDIDATE: Candidate = {
  version: '1.5.0',
  product: 'caisson',
  architecture: 'x86-64',
  maxTimestamp: 1_000_000,
};

describe('decide', () => {
  it('installs what is newer and for this host', () => {
    assert.deepEqual(decide(CANDIDATE, HOST, POLICY), {kind: 'install'});
    const unsaid = {...CANDIDATE, product: null, architecture: null, maxTimestamp: null};
    assert.deepEqual(decide(unsaid, HOST, POLICY), {kind: 'install'});
  });

  it('wants what is newer on a host that runs from its boot image, too', () => {
    const live = {...HOST, slots: null};
    assert.equal(decide(CANDIDATE, live, POLICY).kind, 'install');
    assert.equal(decide({...CANDIDATE, version: '1.6.0'}, live, POLICY).kind, 'refuse');
    assert.equal(decide({...CANDIDATE, version: '1.3.0'}, live, POLICY).kind, 'refuse');
  });

  const onTrial = SLOTS.map((slot) => ({...slot, isGood: !slot.isRunning && slot.isGood}));
  const refused: [string, string, Partial<Candidate>, Partial<HostFacts>, Partial<Policy>, RegExp][] = [
    ['no version', 'bad-version', {version: '1.5'}, {}, {}, /"1\.5" is no version/],
    ['another product', 'product', {product: 'ark'}, {}, {}, /for ark, and this host runs caisson/],
    ['another architecture', 'architecture', {architecture: 'arm64'}, {}, {}, /arm64/],
    ['a host without slots', 'no-slot', {}, {slots: []}, {}, /does not run from a slot/],
    ['a disk with one slot', 'no-slot', {}, {slots: SLOTS.slice(0, 1)}, {}, /no second slot/],
    ['a running slot on trial', 'not-good-yet', {}, {slots: onTrial}, {}, /waits until the running slot A/],
    ['what runs', 'running', {version: '1.4.0'}, {}, {}, /1\.4\.0 is running/],
    [
      'what is in the other slot',
      'installed',
      {version: '1.3.0'},
      {},
      {allowDowngrade: true},
      /slot B already/,
    ],
    ['a denied one', 'denied', {version: '1.6.0'}, {}, {}, /deny list: it did not come up/],
    ['another than asked for', 'not-wanted', {}, {}, {wanted: '1.4.9'}, /1\.4\.9 was asked for, and 1\.5\.0/],
    ['not the pinned one', 'pin', {}, {}, {pin: '1.4'}, /pinned to 1\.4/],
    ['a pin that is no beginning on a dot', 'pin', {version: '1.50.0'}, {}, {pin: '1.5'}, /pinned/],
    ['above the highest', 'highest', {}, {}, {highest: '1.4.9'}, /above 1\.4\.9/],
    ['an older one', 'older', {version: '1.2.0'}, {}, {}, /older than 1\.4\.0.*ALLOW_DOWNGRADE/],
    ['one made before', 'older', {maxTimestamp: 999_999}, {}, {}, /made before/],
  ];
  for (const [name, rule, candidate, host, policy, reason] of refused) {
    it(`refuses ${name}`, () => {
      const decision = decide({...CANDIDATE, ...candidate}, {...HOST, ...host}, {...POLICY, ...policy});
      assert.equal(decision.kind, 'refuse');
      assert.equal(decision.rule, rule);
      assert.match(decision.reason, reason);
    });
  }

  it('lets in an older one when the operator says so', () => {
    const policy = {...POLICY, allowDowngrade: true};
    assert.equal(decide({...CANDIDATE, version: '1.2.0', maxTimestamp: 1}, HOST, policy).kind, 'install');
  });

  it('lets in what the pin begins, and the highest itself', () => {
    assert.equal(decide(CANDIDATE, HOST, {...POLICY, pin: '1'}).kind, 'install');
    assert.equal(decide(CANDIDATE, HOST, {...POLICY, pin: '1.5.0', highest: '1.5.0'}).kind, 'install');
  });

  it('installs again what the other slot holds and was never found good', () => {
    const slots = SLOTS.map((slot) => ({
      ...slot,
      isGood: slot.isRunning,
      version: slot.isRunning ? '1.4.0' : '1.5.0',
    }));
    assert.equal(decide(CANDIDATE, {...HOST, slots}, POLICY).kind, 'install');
  });
});
