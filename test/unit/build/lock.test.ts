import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {
  LockError,
  MAX_LOCK_BYTES,
  type PackageLock,
  formatLock,
  parseLock,
  requireSameRequest,
} from '../../../build/lock.ts';
import {fc, succeedsOrThrows} from '../../support/property.ts';
import {lockedPackage, sampleLock} from '../../support/lock.ts';

function refuses(code: string, pattern: RegExp, action: () => unknown): void {
  assert.throws(action, (error) => {
    assert.ok(error instanceof LockError, String(error));
    assert.equal(error.code, code);
    assert.match(error.message, pattern);
    return true;
  });
}

const parse = (value: unknown): PackageLock => parseLock(JSON.stringify(value), 'my.lock.json');

describe('parseLock and formatLock', () => {
  it('give back what they were given', () => {
    const text = formatLock(sampleLock());
    assert.equal(formatLock(parseLock(text, 'x')), text);
    assert.deepEqual(parse(sampleLock()), sampleLock());
  });

  it('write the same bytes whatever the order of packages', () => {
    const {os} = sampleLock();
    assert.equal(formatLock(sampleLock({os: [...os].reverse()})), formatLock(sampleLock()));
  });

  it('refuse what is no lock, with path and place', () => {
    refuses('bad-lock', /^my\.lock\.json is not JSON/, () => parseLock('{', 'my.lock.json'));
    refuses('bad-lock', /^my\.lock\.json is not a package lock: .*format/, () => parse({}));
    refuses('bad-lock', /extra: unknown key/, () => parse({...sampleLock(), extra: 1}));
    refuses('bad-lock', /format/, () => parse({...sampleLock(), format: 'caisson-lock-2'}));
    refuses('bad-lock', /kernel/, () => parse(sampleLock({kernel: []})));
    refuses('bad-lock', /sourceDate/, () => parse(sampleLock({sourceDate: -1})));
    refuses('bad-lock', /more than any/, () => parseLock(' '.repeat(MAX_LOCK_BYTES + 1), 'x'));
  });

  it('refuse packages whose fields could be anything else', () => {
    const bad: [RegExp, Partial<ReturnType<typeof lockedPackage>>][] = [
      [/os\[0\]\.name: not the name/, {name: '?essential'}],
      [/os\[0\]\.name: not the name/, {name: 'a,b'}],
      [/os\[0\]\.version: not the version/, {version: '1 2'}],
      [/os\[0\]\.architecture: neither/, {architecture: 'arm64'}],
      [/os\[0\]\.sha256/, {sha256: 'A'.repeat(64)}],
      [/os\[0\]\.bytes/, {bytes: 0}],
      [/os\[0\]\.archive/, {archive: 'other' as 'main'}],
    ];
    for (const [pattern, changes] of bad)
      refuses('bad-lock', pattern, () => parse(sampleLock({os: [lockedPackage('bash', changes)]})));
  });

  it('refuse file names that lead out of the pool or to another host', () => {
    const names = [
      '../pool/x.deb',
      'pool/../x.deb',
      'pool/main/../../x.deb',
      'pool/.../x.deb',
      'pool/%2e%2e/x.deb',
      'pool/./x.deb',
      'pool//x.deb',
      '/pool/x.deb',
      '//host.example/pool/x.deb',
      'https://host.example/pool/x.deb',
      'https:pool/x.deb',
      'pool\\..\\x.deb',
      'pool/x.deb?y',
      'pool/x.tar',
      'pool/.deb',
      'dists/x.deb',
    ];
    for (const filename of names) {
      const lock = sampleLock({os: [lockedPackage('bash', {filename})]});
      refuses('bad-lock', /os\[0\]\.filename: not the path of a package/, () => parse(lock));
    }
    for (const filename of [
      'pool/main/g/glibc/libc6_2.41-12+deb13u1_amd64.deb',
      'pool/updates/main/l/linux/linux-image-6.12.57+deb13-amd64_6.12.57-1_amd64.deb',
      'pool/main/libs/libsigc++-2.0/libsigc++-2.0-0v5_2.12.1~rc1-3_amd64.deb',
    ]) {
      parse(sampleLock({os: [lockedPackage('bash', {filename})]}));
      assert.equal(
        new URL(filename, 'https://m.example/debian/').href,
        `https://m.example/debian/${filename}`,
      );
    }
  });

  it('refuse a package that is listed twice', () => {
    const twice = [lockedPackage('bash'), lockedPackage('bash', {version: '6'})];
    refuses('bad-lock', /os\[1\]\.name: bash is listed twice/, () => parse(sampleLock({os: twice})));
    parse(sampleLock({tools: [lockedPackage('bash')]}));
  });

  it('never fail in another way', () => {
    fc.assert(fc.property(fc.jsonValue(), (value) => succeedsOrThrows(LockError, () => parse(value))));
  });
});

describe('requireSameRequest', () => {
  const {requested, suites} = sampleLock();

  it('passes over what is the same', () => {
    requireSameRequest(sampleLock(), {requested, suites}, 'x');
  });

  it('names everything that drifted, and what to do', () => {
    const wanted = {
      requested: {
        os: ['bash', 'curl'],
        unpack: [],
        kernel: 'linux-image-cloud-amd64',
        tools: ['gcc', 'zstd'],
      },
      suites: ['forky'],
    };
    assert.throws(
      () => requireSameRequest(sampleLock(), wanted, 'my.lock.json'),
      (error) => {
        assert.ok(error instanceof LockError);
        assert.equal(error.code, 'lock-drift');
        assert.equal(
          error.message,
          'my.lock.json was made for another list of packages: os +curl, os -systemd, unpack -ignition, ' +
            'tools +zstd, suites +forky, suites -trixie, kernel linux-image-amd64 -> linux-image-cloud-amd64',
        );
        assert.match(error.hint ?? '', /without --lock/);
        return true;
      },
    );
  });
});
