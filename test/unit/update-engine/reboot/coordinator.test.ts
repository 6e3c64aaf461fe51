import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {LockError} from '../../../../coordination/lock.ts';
import type {GateName, RebootPlan} from '../../../../update-engine/reboot/gate.ts';
import type {RebootDebt} from '../../../../update-engine/state/documents.ts';
import {fc} from '../../../support/property.ts';
import {OPEN, closed, rebootWorld, settle} from '../../../support/reboot-world.ts';

const PLAN: RebootPlan = {kind: 'update', version: '2.0.0', previousVersion: '1.0.0'};
const DEBT: RebootDebt = {
  lock: 'etcd-lock',
  purpose: 'restart',
  version: '2.0.0',
  previousVersion: '1.0.0',
  reason: 'restarting',
  askedAt: 1,
  heldSince: 2,
  hooksRan: false,
};
const signal = new AbortController().signal;
const purposeOf = ({written}: {written: RebootDebt | null}): string | undefined => written?.purpose;
const lockOf = ({written}: {written: RebootDebt | null}): string | undefined => written?.lock;

describe('ask', () => {
  it('asks every gate, those that cost others something last, and the first ones again', async () => {
    const world = await rebootWorld();
    const {coordinator, log} = world;
    assert.deepEqual(await coordinator.ask(PLAN, signal, false), {kind: 'go'});
    assert.equal(world.written?.heldSince, 500);
    assert.deepEqual(log, [
      ...['window', 'inhibitors', 'writes restart', 'acquires', 'writes restart', 'offer', 'sessions'],
      ...['writes restart, hooks', 'hooks', 'window', 'inhibitors'],
    ]);
    assert.deepEqual(
      coordinator.view().map(({name, answer}) => `${name} ${answer}`),
      ['strategy', 'window', 'inhibitors', 'lock', 'offer', 'sessions', 'hooks'].map(
        (name) => `${name} open`,
      ),
    );
  });

  it('writes that hooks ran before they run, with or without a lock', async () => {
    const world = await rebootWorld();
    world.strategy = 'reboot';
    world.answers.set('hooks', closed('drain: exit code 1'));
    const answer = await world.coordinator.ask(PLAN, signal, false);
    assert.deepEqual(answer, {kind: 'wait', reason: 'drain: exit code 1', againMs: 60_000});
    assert.deepEqual(world.log, [
      'window',
      'inhibitors',
      'offer',
      'sessions',
      'writes restart, hooks',
      'hooks',
    ]);
  });

  it('takes no lock while a window is closed, and gives back what it has', async () => {
    const world = await rebootWorld(DEBT);
    world.answers.set('window', closed('opens at two'));
    assert.equal((await world.coordinator.ask(PLAN, signal, false)).kind, 'wait');
    assert.deepEqual(world.log, ['window', 'releases', 'forgets', 'called off']);
  });

  it('gives the lock back when the window closes on the way', async () => {
    const world = await rebootWorld();
    const {log} = world;
    world.answers.set('window', OPEN);
    const sessions = log.push.bind(log);
    log.push = (text: string) => {
      if (text === 'hooks') world.answers.set('window', closed('closed at four'));
      return sessions(text);
    };
    const answer = await world.coordinator.ask(PLAN, signal, false);
    assert.deepEqual(answer, {kind: 'wait', reason: 'closed at four', againMs: 60_000});
    assert.deepEqual(log.slice(-5), ['post-good', 'writes restart', 'releases', 'forgets', 'called off']);
  });

  it('keeps the lock while sessions last, unless they may last for ever', async () => {
    const world = await rebootWorld();
    world.answers.set('sessions', closed('two people'));
    await world.coordinator.ask(PLAN, signal, false);
    assert.ok(world.written !== null);
    const patient = await rebootWorld();
    patient.sessionsBlock = true;
    patient.answers.set('sessions', closed('two people'));
    await patient.coordinator.ask(PLAN, signal, false);
    assert.deepEqual(patient.log, ['window', 'inhibitors', 'sessions']);
  });

  it('does not restart when the lock is taken, or cannot be asked for', async () => {
    const world = await rebootWorld();
    const holder = {id: 'm1', since: 1000 - 180_000, reason: 'restarting', version: '2.0.0'};
    world.lock.answer = {kind: 'full', max: 1, holders: [holder], position: 2, waiting: 3};
    const full = await world.coordinator.ask(PLAN, signal, false);
    assert.ok(full.kind === 'wait');
    assert.match(full.reason, /held by m1 for 3 min \(restarting\); this host is number 2/);
    world.lock.error = new LockError('unreachable', 'no endpoint answered', {hint: 'is etcd running?'});
    const unknown = await world.coordinator.ask(PLAN, signal, false);
    assert.ok(unknown.kind === 'wait');
    assert.equal(unknown.reason, 'no endpoint answered (is etcd running?)');
    assert.equal(world.coordinator.view().find(({name}) => name === 'lock')?.answer, 'unknown');
    assert.ok(world.written !== null, 'an answer may have been lost');
  });

  it('asks for the lock alone when an operator has decided about the rest', async () => {
    const world = await rebootWorld();
    world.strategy = 'etcd-lock';
    for (const name of ['window', 'inhibitors', 'sessions', 'hooks'] as const)
      world.answers.set(name, closed('no'));
    assert.deepEqual(await world.coordinator.ask({...PLAN, kind: 'requested'}, signal, true), {kind: 'go'});
  });

  it('gives the lock of another strategy back before it asks for the new one', async () => {
    const world = await rebootWorld({...DEBT, lock: 'fleet-lock'});
    world.lock.error = new LockError('unreachable', 'nobody there');
    const answer = await world.coordinator.ask(PLAN, signal, false);
    assert.ok(answer.kind === 'wait' && answer.reason.startsWith('fleet-lock, the strategy before'));
    assert.equal(lockOf(world), 'fleet-lock');
    world.lock.error = null;
    assert.deepEqual(await world.coordinator.ask(PLAN, signal, false), {kind: 'go'});
    assert.equal(lockOf(world), 'etcd-lock');
  });

  it('goes only when no gate is other than open', async () => {
    const names: GateName[] = ['window', 'inhibitors', 'sessions', 'hooks'];
    const kinds = fc.constantFrom('open' as const, 'closed' as const, 'unknown' as const);
    await fc.assert(
      fc.asyncProperty(fc.tuple(kinds, kinds, kinds, kinds), fc.boolean(), async (answers, isFull) => {
        const world = await rebootWorld();
        for (const [index, kind] of answers.entries())
          world.answers.set(names[index] ?? 'window', {kind, detail: '', againMs: null});
        if (isFull) world.lock.answer = {kind: 'full', max: 1, holders: [], position: null, waiting: null};
        const {kind} = await world.coordinator.ask(PLAN, signal, false);
        assert.equal(kind === 'go', answers.every((each) => each === 'open') && !isFull);
      }),
    );
  });
});

describe('after the restart', () => {
  it('runs the hooks, and then releases the lock', async () => {
    const world = await rebootWorld({...DEBT, hooksRan: true});
    world.coordinator.rest();
    await settle();
    assert.deepEqual(world.log, ['post-good', 'writes restart', 'releases', 'forgets']);
    assert.equal(world.coordinator.aftermath.reason, null);
  });

  it('keeps the lock until the hooks pass', async () => {
    const world = await rebootWorld({...DEBT, hooksRan: true});
    world.postGood = 'uncordon: exit code 1';
    world.coordinator.rest();
    await world.passTime();
    assert.deepEqual(world.log, ['post-good', 'post-good']);
    assert.equal(world.coordinator.aftermath.reason, 'the reboot lock is kept: uncordon: exit code 1');
    world.postGood = null;
    await world.passTime();
    assert.equal(world.written, null);
  });

  it('goes on trying when the keeper cannot be reached', async () => {
    const world = await rebootWorld(DEBT);
    world.lock.error = new LockError('timed-out', 'no answer within 5 s');
    world.coordinator.rest();
    await world.passTime();
    assert.deepEqual(world.log, ['releases', 'releases']);
    assert.match(world.coordinator.aftermath.reason ?? '', /not released yet: no answer within 5 s/);
    world.lock.error = null;
    await world.passTime();
    assert.equal(world.written, null);
  });

  it('keeps the lock after a rollback until the channel offers something else', async () => {
    const world = await rebootWorld({...DEBT, hooksRan: true});
    await world.coordinator.aftermath.keep('2.0.0', 'it does not come up');
    world.coordinator.rest();
    await world.passTime();
    assert.deepEqual(world.log.slice(1), ['post-good', 'writes rolled-back', 'keeps', 'keeps']);
    assert.equal(
      world.coordinator.aftermath.reason,
      'the reboot lock is kept: 2.0.0 was left behind: it does not come up',
    );
    await world.coordinator.aftermath.offered('2.0.0', 9);
    assert.equal(purposeOf(world), 'rolled-back');
    await world.coordinator.aftermath.offered('1.9.0', 0);
    assert.equal(purposeOf(world), 'rolled-back', 'that was before');
    await world.coordinator.aftermath.offered('2.0.1', 9);
    await settle();
    assert.deepEqual(world.log.slice(-3), ['writes restart', 'releases', 'forgets']);
  });

  it('forgets a lock that somebody else has freed', async () => {
    const world = await rebootWorld({...DEBT, purpose: 'rolled-back'});
    world.lock.holds = false;
    world.coordinator.rest();
    await settle();
    assert.deepEqual(world.log, ['keeps', 'forgets']);
  });

  it('tells those who were warned, once, when nobody wants a restart any more', async () => {
    const world = await rebootWorld();
    await world.coordinator.ask(PLAN, signal, false);
    world.coordinator.rest();
    world.coordinator.rest();
    await settle();
    assert.equal(world.log.filter((line) => line === 'called off').length, 1);
    assert.equal(world.written, null);
    assert.deepEqual(world.coordinator.view(), []);
  });
});
