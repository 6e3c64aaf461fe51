import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {parseTmpfiles, SystemdListError} from '../../../formats/tmpfiles.ts';
import {fc, succeedsOrThrows} from '../../support/property.ts';

function rejects(code: string, text: string): void {
  assert.throws(
    () => parseTmpfiles(text),
    (error) => error instanceof SystemdListError && error.code === code,
    text,
  );
}

describe('parseTmpfiles', () => {
  it('reads every field', () => {
    const text = `# comment
d /run/lock 0755 root 0 10d -
L+! "/etc/a b" - - - - ../usr/share/x  y
Z %S/x ~2750 :etcd :900
r! /tmp/.X[0-9]*-lock
f^ /run/x :~600 - - - some.credential
`;
    const none = {mode: undefined, user: undefined, group: undefined, age: undefined, argument: undefined};
    assert.deepEqual(parseTmpfiles(text), [
      {
        line: 2,
        type: 'd',
        modifiers: new Set(),
        path: '/run/lock',
        mode: {bits: 0o755, isMasked: false, isForNewOnly: false},
        user: {owner: 'root', isForNewOnly: false},
        group: {owner: 0, isForNewOnly: false},
        age: '10d',
        argument: undefined,
      },
      {
        ...none,
        line: 3,
        type: 'L',
        modifiers: new Set('+!'),
        path: '/etc/a b',
        argument: '../usr/share/x  y',
      },
      {
        ...none,
        line: 4,
        type: 'Z',
        modifiers: new Set(),
        path: '%S/x',
        mode: {bits: 0o2750, isMasked: true, isForNewOnly: false},
        user: {owner: 'etcd', isForNewOnly: true},
        group: {owner: 900, isForNewOnly: true},
      },
      {...none, line: 5, type: 'r', modifiers: new Set('!'), path: '/tmp/.X[0-9]*-lock'},
      {
        ...none,
        line: 6,
        type: 'f',
        modifiers: new Set('^'),
        path: '/run/x',
        mode: {bits: 0o600, isMasked: true, isForNewOnly: true},
        argument: 'some.credential',
      },
    ]);
  });

  it('decodes quotes and C escapes of the path', () => {
    const path = (word: string): string | undefined => parseTmpfiles(`d ${word}`)[0]?.path;
    assert.equal(path(`/a"b c"'d"e'\\x41\\102\\s\\u00fc`), '/ab cd"eAB ü');
    for (const escape of ['\\q', '\\xff', '\\000', '\\x4', '\\ud800', '\\'])
      rejects('bad-line', `d /a${escape}`);
  });

  it('keeps the argument as it is written, quotes included', () => {
    assert.equal(parseTmpfiles(`w /sys/x - - - -   "a\\n" 'b`)[0]?.argument, `"a\\n" 'b`);
  });

  it('refuses what it cannot understand', () => {
    for (const text of [
      'y /a',
      'dd /a',
      'd++ /a',
      'd',
      'd a',
      'd -',
      'd /a/../b',
      'd /a 9',
      'd /a 17777',
      'd /a ~~1',
      'd /a 1 a:b',
      'd /a 1 - :',
    ]) {
      rejects('bad-field', text);
    }
    rejects('bad-line', 'd "/a');
    rejects('bad-line', 'd /a"b"c"');
  });

  it('never fails in another way', () => {
    const piece = fc.constantFrom(
      'd',
      'L+',
      ' ',
      '/a',
      '0755',
      '~',
      ':',
      '"',
      "'",
      '\\',
      '\n',
      ' - ',
      '%',
      'é',
    );
    fc.assert(
      fc.property(fc.array(piece), (pieces) => {
        succeedsOrThrows(SystemdListError, () => parseTmpfiles(pieces.join('')));
      }),
      {numRuns: 500},
    );
  });
});
