import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {
  LogindError,
  type Session,
  type SessionName,
  blocksShutdown,
  interactiveSessions,
  parseInhibitors,
  parseSession,
  parseSessionNames,
} from '../../../formats/logind.ts';
import {fc, succeedsOrThrows} from '../../support/property.ts';

/** As systemd 257 printed them. */
const INHIBITORS =
  '{"type":"a(ssssuu)","data":[[["shutdown:sleep","backup","to tape","block",0,812],["handle-lid-switch","me","","delay",1000,9]]]}';
const SESSIONS =
  '{"type":"a(susso)","data":[[["2",1000,"core","","/org/freedesktop/login1/session/_32"],["4",1000,"core","seat0","/org/freedesktop/login1/session/_34"]]]}';
const SESSION =
  '{"type":"a{sv}","data":[{"Id":{"type":"s","data":"4"},"User":{"type":"(uo)","data":[1000,"/x"]},"TTY":{"type":"s","data":""},"Remote":{"type":"b","data":true},"RemoteHost":{"type":"s","data":"10.0.2.2"},"Leader":{"type":"u","data":548},"Type":{"type":"s","data":"tty"},"Class":{"type":"s","data":"user"},"State":{"type":"s","data":"active"}}]}';

describe("logind's answers", () => {
  it('are read', () => {
    assert.deepEqual(parseInhibitors(INHIBITORS), [
      {what: ['shutdown', 'sleep'], who: 'backup', why: 'to tape', mode: 'block', uid: 0, pid: 812},
      {what: ['handle-lid-switch'], who: 'me', why: '', mode: 'delay', uid: 1000, pid: 9},
    ]);
    assert.deepEqual(parseInhibitors('{"type":"a(ssssuu)","data":[[]]}'), []);
    assert.deepEqual(parseSessionNames(SESSIONS), [
      {id: '2', uid: 1000, user: 'core', path: '/org/freedesktop/login1/session/_32'},
      {id: '4', uid: 1000, user: 'core', path: '/org/freedesktop/login1/session/_34'},
    ]);
    assert.deepEqual(parseSession(SESSION), {
      ...{class: 'user', type: 'tty', state: 'active', tty: '', isRemote: true, remoteHost: '10.0.2.2'},
      leader: 548,
    });
  });

  for (const text of ['', 'null', '{"type":"s","data":[""]}', INHIBITORS.replace('812', '"812"'), SESSION])
    it(`are refused as inhibitors: ${text.slice(0, 30)}`, () => {
      assert.throws(() => parseInhibitors(text), LogindError);
    });

  it('let nothing but their own error out', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        for (const parse of [parseInhibitors, parseSessionNames, parseSession])
          succeedsOrThrows(LogindError, () => parse(text));
      }),
    );
  });
});

describe('blocksShutdown', () => {
  const [one] = parseInhibitors(INHIBITORS);
  assert.ok(one);
  for (const [what, mode, blocks] of [
    ['shutdown', 'block', true],
    ['sleep:shutdown', 'block-weak', true],
    ['shutdown', 'delay', false],
    ['sleep:idle', 'block', false],
  ] as const)
    it(`${what} by ${mode}: ${blocks}`, () => {
      assert.equal(blocksShutdown({...one, what: what.split(':'), mode}), blocks);
    });
});

describe('interactiveSessions', () => {
  const person: SessionName & Session = {
    ...{id: '4', uid: 1000, user: 'core', path: '/x', class: 'user', type: 'tty', state: 'active', tty: ''},
    ...{isRemote: true, remoteHost: '10.0.2.2', leader: 1},
  };
  const PTS = [
    {path: '/dev/pts/0', uid: 1000},
    {path: '/dev/pts/1', uid: 0},
  ];
  const terminals = (session: Partial<Session>, pts = PTS): string[] | null =>
    interactiveSessions([{...person, ...session}], pts)[0]?.terminals.slice() ?? null;

  it('finds the terminal of a person that sshd let in, among those of its user', () => {
    assert.deepEqual(interactiveSessions([person], PTS), [
      {id: '4', user: 'core', remoteHost: '10.0.2.2', terminals: ['/dev/pts/0']},
    ]);
  });
  it('passes over a command without a terminal', () => assert.equal(terminals({}, []), null));
  it('sees who sits at the machine', () => {
    assert.deepEqual(terminals({tty: 'tty1', isRemote: false}, []), ['/dev/tty1']);
    assert.deepEqual(terminals({tty: 'ttyS0', isRemote: false}, []), ['/dev/ttyS0']);
    assert.deepEqual(terminals({type: 'wayland', isRemote: false}, []), []);
  });
  it('takes no path for a terminal', () => {
    assert.equal(terminals({tty: '../etc/passwd'}, []), null);
  });
  for (const change of [
    {class: 'manager', type: 'unspecified'},
    {class: 'greeter'},
    {class: 'background', type: 'unspecified'},
    {class: 'lock-screen'},
    {state: 'closing'},
  ])
    it(`passes over ${JSON.stringify(change)}`, () => assert.equal(terminals(change), null));
});
