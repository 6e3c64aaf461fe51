import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {
  type AptTarget,
  MirrorError,
  aptSources,
  chooseMirror,
  parseAptUris,
  suiteBase,
} from '../../../build/mirror.ts';

/** As Debian sets up a machine. */
const DEBIAN: AptTarget[] = [
  {address: 'http://mirror.example/debian/', suite: 'bookworm'},
  {address: 'http://mirror.example/debian/', suite: 'bookworm-updates'},
  {address: 'http://security.example/debian-security/', suite: 'bookworm-security'},
];

function refuses(code: string, pattern: RegExp, action: () => unknown): void {
  assert.throws(action, (error) => {
    assert.ok(error instanceof MirrorError, String(error));
    assert.equal(error.code, code);
    assert.match(`${error.message} ${error.hint}`, pattern);
    return true;
  });
}

describe('chooseMirror', () => {
  it('takes what apt has', () => {
    assert.deepEqual(chooseMirror({}, DEBIAN), {
      main: 'http://mirror.example/debian/',
      security: 'http://security.example/debian-security/',
    });
  });

  it('is not led astray by archives of others with the same names of suites', () => {
    const others: AptTarget[] = [
      {address: 'https://browser.example/deb/', suite: 'stable'},
      {address: 'https://containers.example/linux/debian/', suite: 'bookworm'},
    ];
    assert.equal(chooseMirror({}, [...others, ...DEBIAN]).main, 'http://mirror.example/debian/');
    refuses('no-mirror', /--mirror URL/, () => chooseMirror({}, others));
    refuses('no-mirror', /no Debian mirror/, () => chooseMirror({}, []));
  });

  it('takes options before that', () => {
    assert.deepEqual(chooseMirror({mirror: 'https://own.example/debian'}, DEBIAN), {
      main: 'https://own.example/debian/',
      security: 'https://own.example/debian-security/',
    });
    assert.deepEqual(
      chooseMirror({mirror: 'https://own.example/d', securityMirror: 'https://own.example/s'}, []),
      {main: 'https://own.example/d/', security: 'https://own.example/s/'},
    );
    assert.equal(
      chooseMirror({securityMirror: 'https://own.example/s/'}, DEBIAN).security,
      'https://own.example/s/',
    );
  });

  it('does not guess where the security archive is', () => {
    refuses('bad-mirror', /--security-mirror/, () =>
      chooseMirror({mirror: 'https://own.example/trixie'}, []),
    );
    assert.equal(chooseMirror({}, DEBIAN.slice(0, 2)).security, 'http://mirror.example/debian-security/');
  });

  it('refuses what is no address of a mirror', () => {
    for (const mirror of ['', 'own.example', '/var/mirror', 'file:///var/mirror', 'ftp://own.example/debian'])
      refuses('bad-mirror', /mirror/, () => chooseMirror({mirror, securityMirror: 'https://x.example/'}, []));
    refuses('bad-mirror', /http or https/, () =>
      chooseMirror({mirror: 'https://own.example/debian', securityMirror: 'file:///s'}, []),
    );
  });
});

describe('parseAptUris', () => {
  it('reads what apt would fetch', () => {
    const text = [
      "'http://mirror.example/debian/dists/bookworm/InRelease' mirror.example_debian_dists_bookworm_InRelease 0 ",
      "'http://mirror.example/debian/dists/bookworm-updates/InRelease' mirror_updates_InRelease 0 ",
      "'http://old.example/debian-security/dists/buster/updates/InRelease' old_InRelease 0 ",
      'Reading package lists...',
    ].join('\n');
    assert.deepEqual(parseAptUris(text), [
      {address: 'http://mirror.example/debian/', suite: 'bookworm'},
      {address: 'http://mirror.example/debian/', suite: 'bookworm-updates'},
      {address: 'http://old.example/debian-security/', suite: 'buster/updates'},
    ]);
  });
});

describe('aptSources', () => {
  it('sends each suite to its archive, and trusts the Debian keyring only', () => {
    const mirror = {main: 'http://m.example/debian/', security: 'http://s.example/sec/', proxy: undefined};
    const keyring = '/usr/share/keyrings/debian-archive-keyring.gpg';
    assert.equal(
      aptSources(mirror, ['trixie', 'trixie-security']),
      `deb [signed-by=${keyring}] http://m.example/debian/ trixie main\n` +
        `deb [signed-by=${keyring}] http://s.example/sec/ trixie-security main\n`,
    );
    assert.equal(suiteBase(mirror, 'trixie-updates'), mirror.main);
  });
});
