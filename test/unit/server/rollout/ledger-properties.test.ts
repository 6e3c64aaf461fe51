/** What a ledger promises, held against a model that looks at every machine each time. */
import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {type Ledger, openLedger} from '../../../../server/rollout/ledger.ts';
import {beginRollout} from '../../../../server/rollout/state.ts';
import type {Happening, Member} from '../../../../server/rollout/member.ts';
import {type PolicyDocument, parsePolicy} from '../../../../server/rollout/policy.ts';
import {fc} from '../../../support/property.ts';

const MINUTE = 60_000;
const T0 = Date.UTC(2026, 0, 5, 10);
const IDS = Array.from({length: 12}, (_, index) => `m${index}`);
const VERSIONS = ['1.0.0', '1.5.0', '2.0.0', '3.0.0'];

type Step =
  | {do: 'ask' | 'see'; id: string; version: string}
  | {do: 'hear'; id: string; happening: Happening}
  | {do: 'wait'; minutes: number}
  | {do: 'target'; version: string}
  | {do: 'pause' | 'resume' | 'retry'};

const id = fc.constantFrom(...IDS);
const step: fc.Arbitrary<Step> = fc.oneof(
  {weight: 8, arbitrary: fc.record({do: fc.constant('ask' as const), id, version: fc.constantFrom('1.0.0')})},
  {
    weight: 2,
    arbitrary: fc.record({do: fc.constantFrom('ask', 'see'), id, version: fc.constantFrom(...VERSIONS)}),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('hear' as const),
      id,
      happening: fc.constantFrom(
        'downloading' as const,
        'downloaded' as const,
        'installed' as const,
        'failed' as const,
        'rolled-back' as const,
        'put-off' as const,
      ),
    }),
  },
  {weight: 3, arbitrary: fc.record({do: fc.constant('wait' as const), minutes: fc.nat({max: 200})})},
  {
    weight: 1,
    arbitrary: fc.record({do: fc.constant('target' as const), version: fc.constantFrom('2.0.0', '3.0.0')}),
  },
  {weight: 1, arbitrary: fc.record({do: fc.constantFrom('pause', 'resume', 'resume', 'retry')})},
);
const policy: fc.Arbitrary<Partial<PolicyDocument>> = fc.record({
  seed: fc.constantFrom('a', 'b'),
  pace: fc.constantFrom('at once', 'at once', '20% every 30m', '2 every 1h'),
  inFlight: fc.constantFrom(null, 1, 2, 5),
  windows: fc.constantFrom(null, null, null, '10:00+3h', 'Mon-Wed 11:00+2h America/New_York'),
  canary: fc.constantFrom(null, null, {machines: ['m1', 'm2'], share: '0%', good: 1, soak: '30m'}),
  steppingStones: fc.constantFrom([], ['1.5.0']),
  halt: fc.constantFrom(
    {failed: null, rolledBack: null, lost: null, together: null},
    {
      failed: {machines: 2, share: '10%'},
      rolledBack: {machines: 1, share: '5%'},
      lost: {machines: 1, share: '0%'},
      together: null,
    },
  ),
  grantLasts: fc.constantFrom('1h', '3h'),
  lostAfter: fc.constantFrom('2h', '6h'),
  absentAfter: fc.constantFrom('1h', '3h'),
  attempts: fc.constantFrom(1, 3),
});

const isInFlight = ({progress}: Member): boolean => progress.kind === 'in-flight';
const inFlight = (ledger: Ledger): number => [...ledger.members()].filter(isInFlight).length;

function run(
  document: Partial<PolicyDocument>,
  steps: readonly Step[],
  onAsk: (ledger: Ledger, asking: {id: string; version: string; now: number}) => void,
): void {
  const ledger = openLedger({
    policy: parsePolicy(document, 'p'),
    state: beginRollout({version: '2.0.0', allowDowngrade: false}, T0),
    members: [],
  });
  let now = T0;
  for (const each of steps) {
    now += 1000;
    switch (each.do) {
      case 'ask':
        onAsk(ledger, {id: each.id, version: each.version, now});
        break;
      case 'see':
        ledger.see({id: each.id, version: each.version}, now);
        break;
      case 'hear':
        ledger.hear({id: each.id, version: '1.0.0'}, each.happening, now);
        break;
      case 'wait':
        now += each.minutes * MINUTE;
        ledger.advance(now);
        break;
      case 'target':
        ledger.setTarget({version: each.version, allowDowngrade: false}, now);
        break;
      case 'pause':
        ledger.pause('', now);
        break;
      case 'resume':
        ledger.resume(now);
        break;
      case 'retry':
        ledger.retry(now);
    }
    checkCounts(ledger);
  }
}

/** The counts that are kept must be those that counting gives. */
function checkCounts(ledger: Ledger): void {
  const members = [...ledger.members()];
  const summary = ledger.summary();
  const blamed = (blame: string): number => members.filter((each) => each.blame === blame).length;
  assert.equal(summary.inFlight, inFlight(ledger));
  assert.deepEqual(summary.outcomes, {
    good: members.filter(({hasEntered, progress}) => hasEntered && progress.kind === 'done').length,
    failed: blamed('failed'),
    rolledBack: blamed('rolled-back'),
    lost: blamed('lost'),
  });
  assert.equal(
    Object.values(summary.counts).reduce((sum, count) => sum + count, 0),
    members.length,
  );
}

const steps = fc.array(step, {minLength: 50, maxLength: 80, size: 'max'});

describe('a ledger never', () => {
  it('grants while as many are in flight as may be, or while it is stopped', () => {
    let grants = 0;
    fc.assert(
      fc.property(policy, steps, (document, story) => {
        run(document, story, (ledger, {id: who, version, now}) => {
          const verdict = ledger.ask({id: who, version, prefix: ''}, now);
          if (verdict.kind !== 'grant') return;
          assert.equal(ledger.summary().state.stopped, null);
          if (!verdict.isNew) return;
          grants += 1;
          // Itself is among them by now.
          assert.ok(inFlight(ledger) <= (document.inFlight ?? Infinity));
        });
      }),
    );
    assert.ok(grants > 200, String(grants));
  });

  it('grants out of order: all before it that are there are under way, or find room as well', () => {
    let bounded = 0;
    fc.assert(
      fc.property(policy, steps, (document, story) => {
        const {absentAfterMs, maxInFlight, canary, attempts} = parsePolicy(document, 'p');
        run(document, story, (ledger, {id: who, version, now}) => {
          ledger.see({id: who, version}, now);
          const room = (maxInFlight ?? Infinity) - inFlight(ledger);
          const me = ledger.member(who);
          assert.ok(me !== undefined);
          const rankOf = (member: Member): readonly number[] => {
            const {place, isCanary} = ledger.standing(member.id);
            return [isCanary ? 0 : 1, member.setbacks, place];
          };
          const before = [...ledger.members()].filter(
            (other) =>
              other.id !== who &&
              other.progress.kind === 'waiting' &&
              other.lastSeenAt >= now - absentAfterMs &&
              isLess(rankOf(other), rankOf(me)),
          );
          const verdict = ledger.ask({id: who, version, prefix: ''}, now);
          if (verdict.kind === 'hold' && verdict.position !== null)
            assert.equal(verdict.position, before.length + 1);
          if (verdict.kind !== 'grant' || !verdict.isNew) return;
          assert.ok(before.length < room, `${before.length} are before it, and there is room for ${room}`);
          assert.ok(me.setbacks < attempts);
          if (Number.isFinite(room)) bounded += 1;
          const {state} = ledger.summary();
          const {isCanary, place} = ledger.standing(who);
          if (canary !== null && !isCanary) assert.ok(state.canariesGoodAt !== null);
          if (document.pace === '20% every 30m' && !isCanary && !me.hasEntered)
            assert.ok(place < 0.2 * (state.step + 1));
          if (document.pace === '2 every 1h') assert.ok(ledger.summary().entered <= 2 * (state.step + 1));
        });
      }),
    );
    assert.ok(bounded > 50, String(bounded));
  });

  it('keeps a grant that nothing follows: with time all is free again', () => {
    fc.assert(
      fc.property(policy, steps, (document, story) => {
        const {grantLastsMs, lostAfterMs} = parsePolicy(document, 'p');
        const asked: {ledger: Ledger; now: number}[] = [];
        run(document, story, (ledger, {id: who, version, now}) => {
          ledger.ask({id: who, version, prefix: ''}, now);
          for (const {progress} of ledger.members())
            if (progress.kind === 'in-flight' && progress.stage === 'granted')
              assert.ok(progress.grantedAt + grantLastsMs >= now);
          asked.push({ledger, now});
        });
        for (const {ledger, now} of asked.slice(-1)) {
          // Longer than any step has waited after the last question.
          ledger.advance(now + 100_000 * MINUTE + grantLastsMs + lostAfterMs);
          assert.equal(inFlight(ledger), 0);
        }
      }),
    );
  });

  it('lets the pace run faster than it is set', () => {
    fc.assert(
      fc.property(policy, steps, (document, story) => {
        const {pace} = parsePolicy(document, 'p');
        if (pace.kind === 'all') return;
        const seen: {at: number; step: number; startedAt: number}[] = [];
        run(document, story, (ledger, {id: who, version, now}) => {
          ledger.ask({id: who, version, prefix: ''}, now);
          const {state} = ledger.summary();
          for (const before of seen) {
            if (before.startedAt !== state.startedAt) continue;
            assert.ok(state.step - before.step <= Math.floor((now - before.at) / pace.everyMs) + 1);
          }
          seen.push({at: now, step: state.step, startedAt: state.startedAt});
        });
      }),
    );
  });

  it('changes a member without handing it out to be kept', () => {
    fc.assert(
      fc.property(policy, steps, (document, story) => {
        const kept = new Map<string, Member>();
        run(document, story, (ledger, {id: who, version, now}) => {
          ledger.ask({id: who, version, prefix: ''}, now);
          for (const member of [...ledger.takeChanged(), ...ledger.takeSeen(Infinity)])
            kept.set(member.id, member);
          assert.deepEqual([...kept.keys()].sort(), [...ledger.members()].map((each) => each.id).sort());
          for (const member of ledger.members()) assert.deepEqual(kept.get(member.id), member);
        });
      }),
    );
  });
});

function isLess(a: readonly number[], b: readonly number[]): boolean {
  for (const [index, value] of a.entries()) {
    const other = b[index] ?? 0;
    if (value !== other) return value < other;
  }
  return false;
}
