import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {decodeOsRelease, encodeOsRelease, OsReleaseError} from '../../../formats/os-release.ts';
import {fc, succeedsOrThrows} from '../../support/property.ts';

function encode(fields: Record<string, string>): string {
  return encodeOsRelease(new Map(Object.entries(fields)));
}

function rejects(code: string, action: () => unknown): void {
  assert.throws(action, (error) => error instanceof OsReleaseError && error.code === code);
}

describe('encodeOsRelease', () => {
  it('keeps the order, quotes where needed and escapes what a shell would expand', () => {
    assert.equal(
      encode({
        ID: 'caisson',
        NAME: 'Caisson Linux',
        VERSION_ID: '1.2',
        X: `a"b$c\`d\\e'f`,
        EMPTY: '',
      }),
      'ID=caisson\nNAME="Caisson Linux"\nVERSION_ID="1.2"\nX="a\\"b\\$c\\`d\\\\e\'f"\nEMPTY=""\n',
    );
  });

  it('refuses names and values that the format has no room for', () => {
    for (const key of ['', 'id', 'A B', 'A=', '1A', 'Ä']) rejects('bad-key', () => encode({[key]: 'x'}));
    for (const value of ['a\nb', '\0', '\x1b[0m', '\ud800']) {
      rejects('bad-value', () => encode({NAME: value}));
    }
    for (const value of ['', 'Caisson', 'a b', '1.0+x']) rejects('bad-value', () => encode({ID: value}));
  });
});

describe('decodeOsRelease', () => {
  it('reads what distributions write', () => {
    const text = `# comment
PRETTY_NAME="Debian GNU/Linux 13 (trixie)"
VERSION_ID='13'
ID=debian

HOME_URL="https://www.debian.org/"
ODD="a\\"b\\nc"
`;
    assert.deepEqual(Object.fromEntries(decodeOsRelease(text)), {
      PRETTY_NAME: 'Debian GNU/Linux 13 (trixie)',
      VERSION_ID: '13',
      ID: 'debian',
      HOME_URL: 'https://www.debian.org/',
      ODD: 'a"b\\nc',
    });
  });

  it('refuses what is not one plain assignment', () => {
    for (const line of [
      'A',
      'A="x',
      'A="x"y',
      `A="x"'y'`,
      'A=$B',
      'A="$B"',
      'A=`id`',
      'A=x;y',
      'A=a b',
      `A='it's'`,
    ]) {
      rejects('bad-line', () => decodeOsRelease(line));
    }
    rejects('bad-key', () => decodeOsRelease('export A=x'));
    rejects('duplicate-key', () => decodeOsRelease('A=x\nA=x\n'));
    rejects('too-large', () => decodeOsRelease('#'.repeat(70_000)));
  });

  it('reads back what is written', () => {
    const key = fc.stringMatching(/^[A-Z][A-Z0-9_]{0,9}$/).filter((name) => !/ID|VERSION/.test(name));
    const value = fc.string({unit: 'binary'}).filter((text) => !/[\p{Cc}\p{Surrogate}]/u.test(text));
    fc.assert(
      fc.property(fc.dictionary(key, value), (fields) => {
        assert.deepEqual(Object.fromEntries(decodeOsRelease(encode(fields))), {...fields});
      }),
    );
  });

  it('never fails in another way', () => {
    const piece = fc.constantFrom('A', '=', '"', "'", '\\', '$', '\n', '#', ' ', 'ID', 'é', '\0');
    fc.assert(
      fc.property(fc.array(piece), (pieces) => {
        succeedsOrThrows(OsReleaseError, () => decodeOsRelease(pieces.join('')));
      }),
    );
  });
});
