import assert from 'node:assert/strict';
import {readFile} from 'node:fs/promises';
import {join} from 'node:path';
import {describe, it} from 'node:test';
import {STARTING, step} from '../../../update-engine/machine.ts';
import {
  type Effect,
  type Event,
  STATUS_NAMES,
  type State,
  TIMER_WISH,
  jobOf,
  statusOf,
} from '../../../update-engine/machine/states.ts';
import {
  BACK,
  EVENTS,
  FAILURE,
  FILE_WISH,
  LOOK_WISH,
  NEWER_IMAGE,
  OFFER,
  PENDING,
  SETTINGS,
  STATES,
  TARGET,
} from '../../support/engine-samples.ts';
import {fc} from '../../support/property.ts';
import {ROOT_DIR} from '../../support/sources.ts';

const kinds = (effects: readonly Effect[]): string[] =>
  effects.map((effect) => (effect.kind === 'job' ? `job ${effect.job.kind}` : effect.kind));

/** Follows events from the beginning and gives what happened, one line each. */
function run(events: readonly Event[]): {state: State; lines: string[]} {
  let state = STARTING;
  const lines = events.map((event) => {
    const next = step(state, event, SETTINGS);
    state = next.state;
    return `${event.kind}: ${statusOf(state)}; ${kinds(next.effects).join(', ')}`;
  });
  return {state, lines};
}

const booted = (kind: string): Event =>
  EVENTS.find((event) => event.kind === 'booted' && event.situation.kind === kind) ?? {kind: 'reported'};

describe('step', () => {
  it('leads from a check to the reboot', () => {
    const {lines} = run([
      booted('ordinary'),
      {kind: 'woken', wish: TIMER_WISH},
      {kind: 'checked', outcome: {kind: 'offered', offer: OFFER}},
      {kind: 'prepared'},
      {kind: 'prepared'},
      {kind: 'applied'},
      {kind: 'verified'},
      {kind: 'committed', target: TARGET},
      {kind: 'woken', wish: TIMER_WISH},
      {kind: 'looked', outcome: {kind: 'nothing', detail: 'the same'}},
      {kind: 'reboot-due'},
    ]);
    assert.deepEqual(lines, [
      'booted: IDLE; schedule',
      'woken: CHECKING_FOR_UPDATE; job check',
      'checked: UPDATE_AVAILABLE; record-check, job install',
      'prepared: DOWNLOADING; report',
      // From another address.
      'prepared: DOWNLOADING; ',
      'applied: VERIFYING; report',
      'verified: FINALIZING; ',
      'committed: UPDATED_NEED_REBOOT; record-installed, schedule, plan-reboot',
      'woken: UPDATED_NEED_REBOOT; job look',
      'looked: UPDATED_NEED_REBOOT; record-check, schedule',
      'reboot-due: UPDATED_NEED_REBOOT; plan-reboot',
    ]);
  });

  it('waits with a newer boot image for the restart, and follows what is offered', () => {
    const newest = {...NEWER_IMAGE, version: '2.1.0'};
    const {lines, state} = run([
      {kind: 'booted', situation: {kind: 'on-trial', pending: null}},
      {kind: 'became-good'},
      {kind: 'woken', wish: LOOK_WISH},
      {kind: 'checked', outcome: NEWER_IMAGE},
      {kind: 'woken', wish: TIMER_WISH},
      {kind: 'checked', outcome: NEWER_IMAGE},
      {kind: 'woken', wish: TIMER_WISH},
      {kind: 'looked', outcome: NEWER_IMAGE},
      {kind: 'woken', wish: TIMER_WISH},
      {kind: 'looked', outcome: newest},
    ]);
    assert.deepEqual(lines, [
      'booted: IDLE; watch-trial, log',
      'became-good: IDLE; schedule',
      'woken: CHECKING_FOR_UPDATE; job check',
      'checked: IDLE; record-check, schedule',
      'woken: CHECKING_FOR_UPDATE; job check',
      'checked: UPDATED_NEED_REBOOT; record-check, schedule, plan-reboot',
      'woken: UPDATED_NEED_REBOOT; job look',
      'looked: UPDATED_NEED_REBOOT; record-check, schedule',
      'woken: UPDATED_NEED_REBOOT; job look',
      'looked: UPDATED_NEED_REBOOT; record-check, schedule, plan-reboot',
    ]);
    assert.deepEqual(state, {
      kind: 'need-reboot',
      target: {version: '2.1.0', slot: null, kind: 'image', isUrgent: false, followsChannel: true},
      isAsking: false,
    });
    const asking = step(state, {kind: 'woken', wish: TIMER_WISH}, SETTINGS).state;
    const withdrawn = step(asking, {kind: 'looked', outcome: {kind: 'nothing', detail: 'gone'}}, SETTINGS);
    assert.deepEqual(
      [withdrawn.state, kinds(withdrawn.effects)],
      [{kind: 'idle'}, ['record-check', 'drop-pending', 'schedule']],
    );
  });

  it('clears what the channel offers no more, and looks for something else soon', () => {
    const asking: State = {kind: 'need-reboot', target: TARGET, isAsking: true};
    const outcome = {kind: 'withdrawn', detail: 'gone'} as const;
    const {state, effects} = step(asking, {kind: 'looked', outcome}, SETTINGS);
    assert.deepEqual(state, {kind: 'idle'});
    assert.deepEqual(effects, [
      {kind: 'record-check', outcome: {kind: 'nothing', detail: 'gone'}},
      {kind: 'withdraw', reason: 'gone'},
      {kind: 'schedule', next: 'soon'},
    ]);
  });

  it('reports what failed and goes on', () => {
    const {lines} = run([
      booted('ordinary'),
      {kind: 'woken', wish: TIMER_WISH},
      {kind: 'failed', failure: FAILURE},
      {kind: 'reported'},
    ]);
    assert.deepEqual(lines.slice(2), [
      'failed: REPORTING_ERROR_EVENT; record-failure, job report-failure',
      'reported: IDLE; schedule',
    ]);
  });

  it('installs nothing for somebody who only looks', () => {
    const next = step(
      {kind: 'checking', wish: LOOK_WISH},
      {kind: 'checked', outcome: {kind: 'offered', offer: {...OFFER, wish: LOOK_WISH}}},
      SETTINGS,
    );
    assert.equal(next.state.kind, 'idle');
  });

  it('asks nobody without a server, but takes a file', () => {
    const settings = {hasServer: false};
    assert.equal(step({kind: 'idle'}, {kind: 'woken', wish: TIMER_WISH}, settings).state.kind, 'idle');
    assert.equal(step({kind: 'idle'}, {kind: 'woken', wish: FILE_WISH}, settings).state.kind, 'checking');
  });

  it('installs nothing on trial, and confirms once the slot is good', () => {
    const trial: State = {kind: 'on-trial', pending: PENDING};
    assert.deepEqual(kinds(step(trial, {kind: 'woken', wish: TIMER_WISH}, SETTINGS).effects), ['schedule']);
    const next = step(trial, {kind: 'became-good'}, SETTINGS);
    assert.deepEqual([next.state.kind, ...kinds(next.effects)], ['idle', 'confirm', 'schedule']);
  });

  it('continues where the boot left things', () => {
    const after = (kind: string): string[] => {
      const next = step(STARTING, booted(kind), SETTINGS);
      return [next.state.kind, ...kinds(next.effects)];
    };
    assert.deepEqual(after('confirmed'), ['idle', 'confirm', 'schedule']);
    assert.deepEqual(after('rolled-back'), ['idle', 'give-up', 'schedule']);
    assert.deepEqual(after('abandoned'), ['idle', 'drop-pending', 'schedule']);
    assert.deepEqual(after('awaiting-reboot'), [
      'need-reboot',
      'record-installed',
      'schedule',
      'plan-reboot',
    ]);
  });

  it('lets an operator stop everything but the commit', () => {
    for (const state of STATES) {
      if (jobOf(state) === null || state.kind === 'reporting-error') continue;
      const next = step(state, {kind: 'reset'}, SETTINGS);
      if (state.kind === 'finalizing') assert.equal(next.state, state);
      else assert.deepEqual([next.state.kind, kinds(next.effects)[0]], ['idle', 'abort-job'], state.kind);
    }
  });

  it('keeps in touch with the server while it waits for the reboot, and takes nothing', () => {
    const waiting: State = {kind: 'need-reboot', target: TARGET, isAsking: false};
    const asking: State = {...waiting, isAsking: true};
    const woken: Event = {kind: 'woken', wish: TIMER_WISH};
    assert.deepEqual(step(waiting, woken, SETTINGS).state, asking);
    assert.deepEqual(kinds(step(waiting, woken, {hasServer: false}).effects), ['schedule']);
    assert.deepEqual(kinds(step(asking, woken, SETTINGS).effects), ['schedule']);
    const failed = step(asking, {kind: 'failed', failure: FAILURE}, SETTINGS);
    assert.deepEqual(failed.state, waiting);
    assert.deepEqual(kinds(failed.effects), ['record-failure', 'schedule']);
    // The restart may become due, or an operator change their mind, while the server takes its time.
    assert.equal(step(asking, {kind: 'reboot-due'}, SETTINGS).state, asking);
    assert.deepEqual(kinds(step(asking, {kind: 'reset'}, SETTINGS).effects), [
      'abort-job',
      'drop-pending',
      'schedule',
    ]);
  });

  it('tells the server of an installation that an operator stopped, and of no check', () => {
    const told = STATES.filter((state) =>
      step(state, {kind: 'reset'}, SETTINGS).effects.some(
        (effect) => effect.kind === 'report' && effect.event.type === 3 && effect.event.result === 4,
      ),
    );
    assert.deepEqual(
      told.map(({kind}) => kind),
      ['available', 'downloading', 'verifying'],
    );
  });

  it('changes nothing for an event that it does not expect, and says so', () => {
    let surprises = 0;
    for (const state of STATES) {
      for (const event of EVENTS) {
        const {state: next, effects} = step(state, event, SETTINGS);
        const warns = effects.some((effect) => effect.kind === 'log' && effect.level === 'warn');
        if (!warns) continue;
        surprises += 1;
        assert.equal(next, state);
        assert.equal(effects.length, 1);
      }
    }
    assert.ok(surprises > 100, `${surprises}`);
  });
});

describe('any sequence of events', () => {
  const events = fc.array(fc.constantFrom(...EVENTS), {maxLength: 60});

  it('keeps one job at most, that of its state, and never starts one before the last ended', () => {
    fc.assert(
      fc.property(events, fc.boolean(), (sequence, hasServer) => {
        let state = STARTING;
        let job: string | null = null;
        for (const event of sequence) {
          const next = step(state, event, {hasServer});
          // These events come from a job, and end it.
          if (
            ['checked', 'looked', 'committed', 'failed', 'reported'].includes(event.kind) &&
            next.state !== state
          )
            job = null;
          for (const effect of next.effects) {
            if (effect.kind === 'abort-job') job = null;
            if (effect.kind !== 'job') continue;
            assert.equal(job, null, `${effect.job.kind} while ${job}`);
            job = effect.job.kind;
          }
          state = next.state;
          assert.equal(job, jobOf(state), `${event.kind} led to ${state.kind}`);
        }
      }),
    );
  });

  it('always leaves a plan: at rest a check, a look or a reboot is scheduled', () => {
    fc.assert(
      fc.property(events, (sequence) => {
        let state = STARTING;
        let isPlanned = false;
        for (const event of sequence) {
          const next = step(state, event, SETTINGS);
          if (event.kind === 'woken' && next.state !== state) isPlanned = false;
          if (next.effects.some(({kind}) => ['schedule', 'watch-trial', 'plan-reboot'].includes(kind)))
            isPlanned = true;
          state = next.state;
          if (jobOf(state) === null && state.kind !== 'starting')
            assert.ok(isPlanned, `${event.kind}, ${state.kind}`);
        }
      }),
    );
  });

  it('comes to the commit only through every stage', () => {
    fc.assert(
      fc.property(events, (sequence) => {
        let state = STARTING;
        for (const event of sequence) {
          const before = statusOf(state);
          state = step(state, event, SETTINGS).state;
          const after = statusOf(state);
          const isImage = state.kind === 'need-reboot' && state.target.kind === 'image';
          if (after === 'UPDATED_NEED_REBOOT' && before !== after)
            assert.ok((isImage ? ['CHECKING_FOR_UPDATE'] : ['FINALIZING', 'IDLE']).includes(before), before);
          if (after === 'FINALIZING' && before !== after) assert.equal(before, 'VERIFYING');
          if (after === 'VERIFYING' && before !== after) assert.equal(before, 'DOWNLOADING');
        }
      }),
    );
  });
});

describe('docs/update-states.dot', () => {
  it('shows the transitions between states, all of them and no other', async () => {
    const text = await readFile(join(ROOT_DIR, 'docs/update-states.dot'), 'utf8');
    const drawn = [...text.matchAll(/^ {2}(\w+) -> (\w+) \[label="([\w-]+)"\];$/gm)].map(
      ([, from, to, label]) => `${from} -${label}-> ${to}`,
    );
    const found = new Set<string>();
    for (const state of STATES) {
      for (const event of EVENTS) {
        const [from, to] = [statusOf(state), statusOf(step(state, event, SETTINGS).state)];
        if (from !== to) found.add(`${from} -${event.kind}-> ${to}`);
      }
    }
    assert.deepEqual(drawn.sort(), [...found].sort());
    assert.equal(text.match(/->/g)?.length, drawn.length, 'a line of the drawing is not understood');
    assert.deepEqual([...new Set(STATES.map(statusOf))].sort(), [...STATUS_NAMES].sort());
  });
});

describe('a rollback', () => {
  it('waits for its reboot without being an installation', () => {
    const next = step({kind: 'idle'}, {kind: 'reboot-asked', target: BACK}, SETTINGS);
    assert.deepEqual([statusOf(next.state), ...kinds(next.effects)], ['UPDATED_NEED_REBOOT', 'plan-reboot']);
    const again = step(
      STARTING,
      {kind: 'booted', situation: {kind: 'awaiting-reboot', target: BACK}},
      SETTINGS,
    );
    assert.deepEqual(kinds(again.effects), ['schedule', 'plan-reboot']);
  });
});
