import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {placeOf} from '../../../../server/rollout/order.ts';
import {type PolicyDocument, parsePolicy} from '../../../../server/rollout/policy.ts';
import {type Ledger, openLedger} from '../../../../server/rollout/ledger.ts';
import {beginRollout} from '../../../../server/rollout/state.ts';
import type {Hold, Verdict} from '../../../../server/rollout/verdict.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
/** A Monday, at 10:00 UTC. */
const T0 = Date.UTC(2026, 0, 5, 10);
const TARGET = {version: '2.0.0', allowDowngrade: false};
const FREE: Partial<PolicyDocument> = {
  pace: 'at once',
  halt: {failed: null, rolledBack: null, lost: null, together: null},
};

function ledgerOf(policy: Partial<PolicyDocument> = {}, target = TARGET): Ledger {
  return openLedger({
    policy: parsePolicy({...FREE, ...policy}, 'p'),
    state: beginRollout(target, T0),
    members: [],
  });
}

const ask = (ledger: Ledger, id: string, now = T0, version = '1.0.0'): Verdict =>
  ledger.ask({id, version, prefix: ''}, now);
function held(verdict: Verdict): Hold {
  assert.ok(verdict.kind === 'hold', JSON.stringify(verdict));
  return verdict;
}
const granted = (verdict: Verdict): string | null => (verdict.kind === 'grant' ? verdict.version : null);
/** Early ones first. */
const inOrder = (count: number, seed = ''): string[] =>
  Array.from({length: count}, (_, index) => `m${index}`).sort((a, b) => placeOf(seed, a) - placeOf(seed, b));
const begun = (ledger: Ledger, id: string, now: number): void =>
  ledger.hear({id, version: '1.0.0'}, 'downloading', now);

describe('a ledger', () => {
  it('grants at once where nothing holds back, and knows who arrived', () => {
    const ledger = ledgerOf();
    assert.deepEqual(ask(ledger, 'a'), {kind: 'grant', version: '2.0.0', isNew: true});
    for (const happening of ['downloading', 'downloaded', 'installed'] as const)
      ledger.hear({id: 'a', version: '1.0.0'}, happening, T0);
    assert.equal(ledger.summary().counts.installed, 1);
    assert.deepEqual(ask(ledger, 'a', T0 + MINUTE), {kind: 'grant', version: '2.0.0', isNew: false});
    assert.deepEqual(ask(ledger, 'a', T0 + HOUR, '2.0.0'), {kind: 'nothing'});
    assert.deepEqual(ledger.summary().outcomes, {good: 1, failed: 0, rolledBack: 0, lost: 0});
  });

  it('tells machines that changed from machines that were only seen', () => {
    const ledger = ledgerOf({pace: '10% every 1h'});
    const [second = '', first = ''] = inOrder(200).slice(-2);
    for (const id of [first, second]) held(ask(ledger, id));
    assert.deepEqual(
      ledger.takeChanged().map(({id}) => id),
      [first, second],
    );
    for (const id of [second, first]) held(ask(ledger, id, T0 + 1));
    assert.deepEqual(ledger.takeChanged(), []);
    assert.deepEqual(
      ledger.takeSeen(1).map(({id, lastSeenAt}) => [id, lastSeenAt]),
      [[second, T0 + 1]],
    );
    ledger.see({id: first, version: '2.0.0'}, T0 + 2);
    ledger.see({id: first, version: '2.0.0'}, T0 + 3);
    assert.deepEqual(ledger.takeSeen(9), []);
    assert.deepEqual(
      ledger.takeChanged().map(({id, lastSeenAt}) => [id, lastSeenAt]),
      [[first, T0 + 3]],
    );
  });

  it('opens one share after the other, the same machines first', () => {
    const ledger = ledgerOf({pace: '10% every 1h'});
    const ids = inOrder(200);
    const grantedAt = (now: number): string[] => ids.filter((id) => granted(ask(ledger, id, now)) !== null);
    const first = grantedAt(T0);
    assert.deepEqual(
      first,
      ids.filter((id) => placeOf('', id) < 0.1),
    );
    assert.deepEqual(grantedAt(T0 + HOUR - 1), first);
    const late = ids.at(-1) ?? '';
    const hold = held(ask(ledger, late));
    assert.deepEqual([hold.reason, hold.position], ['pace', 200 - first.length]);
    assert.equal(hold.earliestAt, T0 + Math.floor(placeOf('', late) / 0.1) * HOUR);
    // Begun ones do not expire.
    for (const id of first) begun(ledger, id, T0 + HOUR);
    assert.deepEqual(
      grantedAt(T0 + HOUR),
      ids.filter((id) => placeOf('', id) < 0.2),
    );
  });

  it('lets in so many a period, early ones first', () => {
    const ledger = ledgerOf({pace: '2 every 1h'});
    const ids = inOrder(6);
    for (const id of ids) ledger.see({id, version: '1.0.0'}, T0);
    const [a = '', b = '', c = '', d = '', e = ''] = ids;
    const hold = held(ask(ledger, c));
    assert.deepEqual([hold.reason, hold.position, hold.earliestAt], ['pace', 3, T0 + HOUR]);
    assert.equal(held(ask(ledger, e)).earliestAt, T0 + 2 * HOUR);
    assert.equal(granted(ask(ledger, b)), '2.0.0');
    assert.equal(held(ask(ledger, c)).reason, 'pace');
    assert.equal(granted(ask(ledger, a)), '2.0.0');
    assert.equal(held(ask(ledger, c)).reason, 'pace');
    for (const id of [c, d]) assert.equal(granted(ask(ledger, id, T0 + HOUR)), '2.0.0');
    assert.equal(held(ask(ledger, e, T0 + HOUR)).reason, 'pace');
  });

  it('keeps the places of those that come first, until they stay away', () => {
    const ledger = ledgerOf({inFlight: 1, absentAfter: '1h'});
    const [a = '', b = ''] = inOrder(2);
    ledger.see({id: a, version: '1.0.0'}, T0);
    const hold = held(ask(ledger, b));
    assert.deepEqual([hold.reason, hold.position, hold.earliestAt], ['in-flight', 2, null]);
    assert.equal(granted(ask(ledger, b, T0 + HOUR + MINUTE)), '2.0.0');
    assert.equal(held(ask(ledger, a, T0 + HOUR + MINUTE)).position, 1);
    assert.deepEqual(ask(ledger, b, T0 + 2 * HOUR, '2.0.0'), {kind: 'nothing'});
    assert.equal(granted(ask(ledger, a, T0 + 2 * HOUR)), '2.0.0');
  });

  it('takes a grant back that nothing follows, and puts the machine behind the others', () => {
    const ledger = ledgerOf({inFlight: 1, grantLasts: '2h', absentAfter: '4h', attempts: 2});
    const [a = '', b = ''] = inOrder(2);
    assert.equal(granted(ask(ledger, a)), '2.0.0');
    assert.equal(held(ask(ledger, b, T0 + HOUR)).reason, 'in-flight');
    assert.deepEqual(ask(ledger, a, T0 + HOUR), {kind: 'grant', version: '2.0.0', isNew: false});
    ledger.advance(T0 + 2 * HOUR + 1);
    assert.equal(ledger.summary().inFlight, 0);
    assert.equal(held(ask(ledger, a, T0 + 2 * HOUR + 2)).position, 2);
    assert.equal(granted(ask(ledger, b, T0 + 2 * HOUR + 3)), '2.0.0');
    assert.deepEqual(ask(ledger, b, T0 + 3 * HOUR, '2.0.0'), {kind: 'nothing'});
    assert.equal(granted(ask(ledger, a, T0 + 3 * HOUR)), '2.0.0');
    ledger.advance(T0 + 6 * HOUR);
    const hold = held(ask(ledger, a, T0 + 6 * HOUR));
    assert.deepEqual([hold.reason, hold.position], ['out', null]);
    assert.equal(ledger.retry(T0 + 6 * HOUR), 1);
    assert.equal(granted(ask(ledger, a, T0 + 6 * HOUR)), '2.0.0');
  });

  it('counts a machine that begins late, and grants nothing meanwhile', () => {
    const ledger = ledgerOf({inFlight: 1, grantLasts: '2h'});
    ask(ledger, 'a');
    ledger.advance(T0 + 3 * HOUR);
    begun(ledger, 'a', T0 + 3 * HOUR);
    assert.equal(held(ask(ledger, 'b', T0 + 3 * HOUR)).reason, 'in-flight');
  });

  it('waits for canaries, and for the time they have to stay good', () => {
    const ledger = ledgerOf({
      pace: '50% every 1h',
      canary: {machines: ['c1', 'c2'], share: '0%', good: 2, soak: '1h'},
    });
    assert.equal(held(ask(ledger, 'a')).reason, 'canary');
    assert.equal(granted(ask(ledger, 'c1')), '2.0.0');
    assert.equal(granted(ask(ledger, 'c2')), '2.0.0');
    ledger.see({id: 'c1', version: '2.0.0'}, T0 + MINUTE);
    assert.match(held(ask(ledger, 'a', T0 + 2 * MINUTE)).detail, /1 of 2 canaries/);
    ledger.see({id: 'c2', version: '2.0.0'}, T0 + 3 * MINUTE);
    const [early = ''] = inOrder(50);
    const hold = held(ask(ledger, early, T0 + 4 * MINUTE));
    assert.deepEqual([hold.reason, hold.earliestAt], ['canary', T0 + 3 * MINUTE + HOUR]);
    assert.equal(granted(ask(ledger, early, T0 + 3 * MINUTE + HOUR)), '2.0.0');
    // The pace begins with those after the canaries.
    assert.equal(ledger.summary().state.step, 0);
  });

  it('lets a canary that failed try again before everyone else', () => {
    const canary = {machines: ['c'], share: '0%', good: 1, soak: '0s'};
    const ledger = ledgerOf({canary, inFlight: 5});
    for (const id of inOrder(20)) ask(ledger, id);
    ask(ledger, 'c');
    ledger.hear({id: 'c', version: '1.0.0'}, 'failed', T0 + MINUTE);
    assert.equal(granted(ask(ledger, 'c', T0 + 2 * MINUTE)), '2.0.0');
  });

  it('grants nothing outside of its windows, whatever the zone', () => {
    // In Berlin it is 11:00.
    const ledger = ledgerOf({windows: 'Mon-Fri 12:00+2h Europe/Berlin'});
    const hold = held(ask(ledger, 'a'));
    assert.deepEqual([hold.reason, hold.earliestAt], ['window', T0 + HOUR]);
    assert.equal(granted(ask(ledger, 'a', T0 + HOUR)), '2.0.0');
    assert.equal(granted(ask(ledger, 'b', T0 + 3 * HOUR)), '2.0.0');
    assert.equal(held(ask(ledger, 'c', T0 + 3 * HOUR + MINUTE)).earliestAt, T0 + 25 * HOUR);
  });

  it('gathers no crowd behind a closed window', () => {
    const ledger = ledgerOf({pace: '10% every 10m', windows: '10:00+30m'});
    const ids = inOrder(100);
    const opened = (now: number): number => {
      ledger.advance(now);
      return ledger.summary().state.step;
    };
    for (const id of ids) ask(ledger, id);
    assert.equal(opened(T0 + 25 * MINUTE), 2);
    assert.equal(opened(T0 + 5 * HOUR), 2);
    assert.equal(opened(T0 + 24 * HOUR), 3);
    assert.equal(opened(T0 + 24 * HOUR + 5 * MINUTE), 3);
  });

  it('stops when too many went back, and goes on only when told to', () => {
    const ledger = ledgerOf({
      halt: {rolledBack: {machines: 2, share: '0%'}, failed: null, lost: null, together: null},
    });
    for (const id of ['a', 'b', 'c', 'd']) ask(ledger, id);
    for (const id of ['a', 'b']) {
      ledger.hear({id, version: '1.0.0'}, 'installed', T0);
      ledger.hear({id, version: '1.0.0'}, 'rolled-back', T0 + HOUR);
    }
    const hold = held(ask(ledger, 'e', T0 + HOUR));
    assert.equal(hold.reason, 'halted');
    assert.match(hold.detail, /2 of 2 machines .* went back/);
    // Also to those that have a grant already, and for good.
    assert.equal(held(ask(ledger, 'c', T0 + HOUR)).reason, 'halted');
    assert.equal(held(ask(ledger, 'e', T0 + 1000 * HOUR)).reason, 'halted');
    ledger.setTarget({version: '2.0.1', allowDowngrade: false}, T0 + 1001 * HOUR);
    assert.equal(held(ask(ledger, 'e', T0 + 1001 * HOUR)).reason, 'halted');
    ledger.resume(T0 + 1002 * HOUR);
    assert.equal(granted(ask(ledger, 'e', T0 + 1002 * HOUR)), '2.0.1');
    assert.equal(granted(ask(ledger, 'a', T0 + 1002 * HOUR)), '2.0.1');
  });

  it('goes on after a halt with the same release, but not on machines that came back from it', () => {
    const ledger = ledgerOf({
      halt: {rolledBack: {machines: 1, share: '0%'}, failed: null, lost: null, together: null},
    });
    ask(ledger, 'a');
    ledger.hear({id: 'a', version: '1.0.0'}, 'rolled-back', T0);
    ledger.resume(T0 + HOUR);
    assert.equal(granted(ask(ledger, 'b', T0 + HOUR)), '2.0.0');
    assert.equal(held(ask(ledger, 'a', T0 + HOUR)).reason, 'out');
    ledger.hear({id: 'b', version: '1.0.0'}, 'rolled-back', T0 + HOUR);
    assert.equal(held(ask(ledger, 'c', T0 + HOUR)).reason, 'halted');
  });

  it('counts a machine that does not come back, and takes it back when it does', () => {
    const ledger = ledgerOf({
      inFlight: 1,
      lostAfter: '24h',
      halt: {lost: {machines: 1, share: '0%'}, failed: null, rolledBack: null, together: null},
    });
    ask(ledger, 'a');
    ledger.hear({id: 'a', version: '1.0.0'}, 'installed', T0);
    ledger.advance(T0 + 25 * HOUR);
    assert.deepEqual([ledger.summary().outcomes.lost, ledger.summary().inFlight], [1, 0]);
    assert.match(held(ask(ledger, 'b', T0 + 25 * HOUR)).detail, /did not come back/);
    ledger.see({id: 'a', version: '2.0.0'}, T0 + 26 * HOUR);
    assert.deepEqual(ledger.summary().outcomes, {good: 1, failed: 0, rolledBack: 0, lost: 0});
    assert.equal(held(ask(ledger, 'b', T0 + 26 * HOUR)).reason, 'halted');
  });

  it('is paused and let go by a person', () => {
    const ledger = ledgerOf();
    ledger.pause('the boss is on holiday', T0);
    const hold = held(ask(ledger, 'a'));
    assert.deepEqual([hold.reason, hold.detail], ['paused', 'the rollout is paused: the boss is on holiday']);
    ledger.resume(T0);
    assert.equal(granted(ask(ledger, 'a')), '2.0.0');
  });

  it('leads over stepping stones, each a grant of its own', () => {
    const ledger = ledgerOf({steppingStones: ['1.5.0']});
    assert.equal(granted(ask(ledger, 'a')), '1.5.0');
    assert.equal(granted(ask(ledger, 'b', T0, '1.6.0')), '2.0.0');
    assert.equal(granted(ask(ledger, 'a', T0 + HOUR, '1.5.0')), '2.0.0');
    assert.deepEqual(ask(ledger, 'a', T0 + 2 * HOUR, '2.0.0'), {kind: 'nothing'});
    assert.equal(ledger.summary().outcomes.good, 1);
  });

  it('sends nobody on to a release that the group has left behind', () => {
    const ledger = ledgerOf({inFlight: 2});
    ask(ledger, 'a');
    ask(ledger, 'b');
    ledger.hear({id: 'b', version: '1.0.0'}, 'installed', T0);
    ledger.setTarget({version: '2.0.1', allowDowngrade: false}, T0 + MINUTE);
    assert.equal(held(ask(ledger, 'c', T0 + MINUTE)).reason, 'in-flight');
    assert.deepEqual(ask(ledger, 'a', T0 + MINUTE), {kind: 'grant', version: '2.0.1', isNew: true});
    assert.deepEqual(ask(ledger, 'b', T0 + MINUTE), {kind: 'nothing'});
    // What becomes of the old one says nothing about the new one.
    ledger.hear({id: 'b', version: '1.0.0'}, 'rolled-back', T0 + MINUTE);
    assert.equal(ledger.summary().outcomes.rolledBack, 0);
    assert.equal(granted(ask(ledger, 'b', T0 + MINUTE)), '2.0.1');
  });

  it('does not let a machine hold others up that takes another series', () => {
    const ledger = ledgerOf({inFlight: 1});
    const [a = '', b = ''] = inOrder(2);
    assert.deepEqual(ledger.ask({id: a, version: '1.0.0', prefix: '1'}, T0), {kind: 'nothing'});
    ledger.see({id: a, version: '1.0.0'}, T0);
    assert.equal(granted(ask(ledger, b)), '2.0.0');
  });

  it('goes on from what was kept, as if nothing had happened', () => {
    const policy = parsePolicy({...FREE, pace: '10% every 1h', inFlight: 3}, 'p');
    const first = openLedger({policy, state: beginRollout(TARGET, T0), members: []});
    for (const id of inOrder(40)) ask(first, id);
    const kept = first.takeChanged();
    assert.deepEqual([...kept].length, 40);
    assert.deepEqual(first.takeChanged(), []);
    const second = openLedger({policy, state: first.summary().state, members: kept});
    assert.deepEqual(second.summary(), first.summary());
    for (const id of inOrder(40)) assert.deepEqual(ask(second, id, T0 + MINUTE), ask(first, id, T0 + MINUTE));
  });
});
