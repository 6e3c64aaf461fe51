import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {fixedNumbers, parseSysusers, SystemdListError} from '../../../formats/sysusers.ts';
import {fc, succeedsOrThrows} from '../../support/property.ts';

function rejects(code: string, text: string): void {
  assert.throws(
    () => parseSysusers(text),
    (error) => error instanceof SystemdListError && error.code === code,
    text,
  );
}

describe('parseSysusers', () => {
  it('reads users, groups, members and ranges', () => {
    const text = `# comment
u  root    0:0   "Super \\"User\\""  /root  /bin/sh
  u! etcd  900   'Key store'
u  auto    -     -
u  sshd    -:nogroup
u  like    /usr/bin/x
g  etcd    900
g  free
m  etcd    docker
r  -       500-900
r  -       42
`;
    const user = {
      isLocked: false,
      group: undefined,
      description: undefined,
      home: undefined,
      shell: undefined,
    };
    assert.deepEqual(parseSysusers(text), [
      {
        ...user,
        line: 2,
        type: 'user',
        name: 'root',
        uid: 0,
        group: 0,
        description: 'Super "User"',
        home: '/root',
        shell: '/bin/sh',
      },
      {...user, line: 3, type: 'user', name: 'etcd', uid: 900, isLocked: true, description: 'Key store'},
      {...user, line: 4, type: 'user', name: 'auto', uid: undefined},
      {...user, line: 5, type: 'user', name: 'sshd', uid: undefined, group: 'nogroup'},
      {...user, line: 6, type: 'user', name: 'like', uid: {ownerOf: '/usr/bin/x'}},
      {line: 7, type: 'group', name: 'etcd', gid: 900},
      {line: 8, type: 'group', name: 'free', gid: undefined},
      {line: 9, type: 'member', user: 'etcd', group: 'docker'},
      {line: 10, type: 'range', first: 500, last: 900},
      {line: 11, type: 'range', first: 42, last: 42},
    ]);
  });

  it('takes quotes away, and from a backslash only itself', () => {
    const [record] = parseSysusers(`u a 1 a" b"'c d'\\x41\\ \\"`);
    assert.equal(record?.type === 'user' && record.description, 'a bc dx41 "');
  });

  it('refuses lines that systemd would pass over', () => {
    const fields = [
      'x a 1',
      'g! a 1',
      'u',
      'u - 1',
      'u 1a 1',
      'u a%b 1',
      `u ${'a'.repeat(32)} 1`,
      'm a',
      'm a -',
      'r - 9-1',
    ];
    const numbers = [
      'u a 01',
      'u a -1',
      'u a 65535',
      'u a 4294967295',
      'u a 99999999999',
      'u a 1:',
      'u a 1:2:3',
      'r a 1',
      'r - x',
    ];
    for (const text of [...fields, ...numbers, 'u a 1 x home', 'u a 1 x /h sh']) rejects('bad-field', text);
    for (const text of ['g a 1 description', 'u a 1 "open', 'u a 1 a\\', 'u a 1 d /h /s more']) {
      rejects('bad-line', text);
    }
    rejects('too-large', '#'.repeat(2 ** 20 + 1));
  });

  it('names the line', () => {
    assert.throws(() => parseSysusers('\n\nu a x\n'), /line 3: number cannot be "x": u a x/);
  });

  it('never fails in another way', () => {
    const piece = fc.constantFrom(
      'u',
      'g ',
      'm',
      ' a',
      ' 1',
      ':2',
      '"',
      "'",
      '\\',
      '\n',
      ' -',
      '!',
      '/',
      'é',
    );
    fc.assert(
      fc.property(fc.array(piece), (pieces) => {
        succeedsOrThrows(SystemdListError, () => parseSysusers(pieces.join('')));
      }),
      {numRuns: 500},
    );
  });
});

describe('fixedNumbers', () => {
  it('knows the numbers that are spelled out, and the groups that users bring', () => {
    const {users, groups} = fixedNumbers(
      parseSysusers(
        'u root 0\nu _apt 42:65534\ng shadow 42\nu auto -\nu x /f\ng tty 5\nu etcd 900\ng etcd 901\ng root 0',
      ),
    );
    assert.deepEqual(
      [...users],
      [
        [0, 'root'],
        [42, '_apt'],
        [900, 'etcd'],
      ],
    );
    assert.deepEqual(
      [...groups].sort(),
      [
        [0, 'root'],
        [42, 'shadow'],
        [5, 'tty'],
        [901, 'etcd'],
      ].sort(),
    );
  });

  it('refuses one number for two names', () => {
    for (const text of ['u a 5\nu b 5', 'g a 5\ng b 5', 'g a 5\nu b 5']) {
      assert.throws(
        () => fixedNumbers(parseSysusers(text)),
        (error) => error instanceof SystemdListError && error.code === 'conflict',
      );
    }
    assert.equal(fixedNumbers(parseSysusers('u a 5\nu a 5')).users.size, 1);
  });
});
