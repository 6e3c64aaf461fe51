import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {LogindError, type Session, type SessionName} from '../../../../formats/logind.ts';
import type {RebootPlan} from '../../../../update-engine/reboot/gate.ts';
import {HookUnitError} from '../../../../update-engine/reboot/hook-unit.ts';
import {type SessionsGate, createSessionsGate} from '../../../../update-engine/reboot/sessions.ts';

const PLAN: RebootPlan = {kind: 'update', version: '0.2.0', previousVersion: '0.1.0'};
const SECOND = 1000;
const MINUTE = 60 * SECOND;

class World {
  people: string[] = [];
  wait: number | 'forever' | 'bad' = 5 * MINUTE;
  now = 0;
  failure: Error | null = null;
  /** How long it takes to tell somebody. */
  saysForMs = 0;
  readonly said: string[] = [];
  readonly gate: SessionsGate = createSessionsGate({
    logind: {sessions: () => this.#sessions()},
    pseudoTerminals: () => Promise.resolve([{path: '/dev/pts/0', uid: 1000}]),
    unit: {
      warn: ({text}) => {
        if (this.failure !== null) return Promise.reject(this.failure);
        this.said.push(text);
        this.now += this.saysForMs;
        return Promise.resolve({id: '', reached: ['/dev/pts/0'], problem: null});
      },
    },
    waitMs: () =>
      this.wait === 'bad'
        ? {kind: 'bad', problem: 'REBOOT_SESSION_WAIT="x" is no duration'}
        : {kind: 'value', value: this.wait},
    now: () => this.now,
    hostname: 'web1',
  });

  #sessions(): Promise<(SessionName & Session)[]> {
    if (this.failure instanceof LogindError) return Promise.reject(this.failure);
    return Promise.resolve(
      this.people.map((id) => ({
        ...{id, uid: 1000, user: 'core', path: '/x', class: 'user', type: 'tty', state: 'active', tty: ''},
        ...{isRemote: true, remoteHost: '10.0.2.2', leader: 1},
      })),
    );
  }

  async ask(plan = PLAN): Promise<string> {
    const {kind, againMs} = await this.gate.ask(plan, new AbortController().signal);
    return `${kind} ${againMs}`;
  }
}

describe('the gate of sessions', () => {
  it('is open when nobody is logged in, and says nothing', async () => {
    const world = new World();
    assert.equal(await world.ask(), 'open null');
    await world.gate.calledOff();
    assert.deepEqual(world.said, []);
  });

  it('warns, waits for its time, warns once more in the last minute, and opens', async () => {
    const world = new World();
    world.people = ['1'];
    assert.equal(await world.ask(), `closed ${10 * SECOND}`);
    assert.deepEqual(world.said, [
      'web1 will reboot in 5 minutes. It restarts into release 0.2.0. Please save your work and log out.',
    ]);
    for (world.now = 10 * SECOND; world.now < 4 * MINUTE; world.now += 10 * SECOND) await world.ask();
    assert.equal(world.said.length, 1);
    world.now = 4 * MINUTE;
    assert.equal(await world.ask(), `closed ${10 * SECOND}`);
    assert.match(world.said[1] ?? '', /^web1 will reboot in 1 minute\. /);
    world.now = 5 * MINUTE - 1;
    assert.equal(await world.ask(), 'closed 1');
    world.now = 5 * MINUTE;
    assert.equal(await world.ask(), 'open null');
    assert.equal(world.said.length, 2);
  });

  it('counts from when they have been told', async () => {
    const world = new World();
    world.people = ['1'];
    world.saysForMs = 10 * MINUTE;
    assert.equal(await world.ask(), `closed ${10 * SECOND}`);
    world.now = 15 * MINUTE - 1;
    world.saysForMs = 0;
    assert.equal(await world.ask(), 'closed 1');
    world.now = 15 * MINUTE;
    assert.equal(await world.ask(), 'open null');
  });

  it('asks again exactly when the last minute begins', async () => {
    const world = new World();
    world.people = ['1'];
    await world.ask();
    world.now = 4 * MINUTE - 3 * SECOND;
    assert.equal(await world.ask(), `closed ${3 * SECOND}`);
  });

  it('opens as soon as everybody has left, and begins anew with who comes then', async () => {
    const world = new World();
    world.people = ['1'];
    await world.ask();
    world.people = [];
    assert.equal(await world.ask(), 'open null');
    world.now = 60 * MINUTE;
    world.people = ['2'];
    assert.match(await world.ask(), /^closed/);
    assert.match(world.said.at(-1) ?? '', /in 5 minutes/);
  });

  it('gives somebody who comes late a minute of warning', async () => {
    const world = new World();
    world.people = ['1'];
    await world.ask();
    world.now = 5 * MINUTE - SECOND;
    world.people = ['1', '2'];
    assert.match(await world.ask(), /^closed/);
    assert.match(world.said.at(-1) ?? '', /in 1 minute/);
    world.now += MINUTE;
    assert.equal(await world.ask(), 'open null');
  });

  it('begins anew when something else held the restart up for long', async () => {
    const world = new World();
    world.people = ['1'];
    await world.ask();
    world.now = 5 * MINUTE;
    assert.equal(await world.ask(), 'open null');
    world.now = 15 * MINUTE;
    assert.equal(await world.ask(), 'open null');
    const said = world.said.length;
    world.now += 1;
    assert.match(await world.ask(), /^closed/);
    assert.match(world.said.slice(said).join(), /^web1 will reboot in 5 minutes\./);
  });

  it('does not wait when it is told so, but says what happens', async () => {
    const world = new World();
    world.wait = 0;
    world.people = ['1'];
    assert.equal(await world.ask(), 'open null');
    assert.match(world.said.join(), /^web1 will reboot now\./);
  });

  it('waits for ever when it is told so', async () => {
    const world = new World();
    world.wait = 'forever';
    assert.equal(world.gate.blocksForever(), true);
    world.people = ['1'];
    for (world.now = 0; world.now < 1000 * MINUTE; world.now += 100 * MINUTE)
      assert.equal(await world.ask(), `closed ${30 * SECOND}`);
    assert.deepEqual(world.said.length, 1);
    assert.match(world.said[0] ?? '', /will reboot when everybody has logged out/);
  });

  it('takes up a deadline when the setting changes from for ever', async () => {
    const world = new World();
    world.wait = 'forever';
    world.people = ['1'];
    await world.ask();
    world.wait = 2 * MINUTE;
    world.now = MINUTE;
    assert.match(await world.ask(), /^closed/);
    world.now = 3 * MINUTE;
    assert.equal(await world.ask(), 'open null');
  });

  it('begins anew for another release', async () => {
    const world = new World();
    world.people = ['1'];
    await world.ask();
    world.now = 5 * MINUTE;
    assert.match(await world.ask({...PLAN, version: '0.3.0'}), /^closed/);
    assert.match(world.said.at(-1) ?? '', /in 5 minutes\. It restarts into release 0\.3\.0/);
  });

  it('tells who was warned that it is called off', async () => {
    const world = new World();
    world.people = ['1'];
    await world.ask();
    await world.gate.calledOff();
    await world.gate.calledOff();
    assert.deepEqual(world.said.slice(1), ['The restart of web1 that was announced is called off.']);
  });

  for (const [what, failure] of [
    ['logind cannot be asked', new LogindError('no-answer', 'logind cannot be asked: gone')],
    ['nobody can be told', new HookUnitError('not-run', 'caisson-hooks@warn.service did not run')],
    ['anything else breaks', new Error('broken')],
  ] as const)
    it(`is not known when ${what}`, async () => {
      const world = new World();
      world.people = ['1'];
      world.failure = failure;
      assert.match(await world.ask(), /^unknown/);
    });

  it('is not known with a setting that makes no sense', async () => {
    const world = new World();
    world.wait = 'bad';
    assert.match(await world.ask(), /^unknown/);
    assert.equal(world.gate.blocksForever(), false);
  });
});
