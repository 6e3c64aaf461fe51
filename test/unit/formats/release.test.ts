import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {
  type Release,
  ReleaseError,
  fileOfRole,
  formatRelease,
  parseRelease,
} from '../../../formats/release.ts';
import {fc, succeedsOrThrows} from '../../support/property.ts';
import {sampleRelease} from '../../support/small-disk.ts';

const release = sampleRelease();
const parse = (value: unknown): Release => parseRelease(JSON.stringify(value), 'x/release.json');

function refuses(pattern: RegExp, action: () => unknown): void {
  assert.throws(action, (error) => error instanceof ReleaseError && pattern.test(error.message));
}

describe('parseRelease', () => {
  it('gives back what was written', () => {
    assert.deepEqual(parseRelease(formatRelease(release), 'x'), release);
    assert.ok(formatRelease(release).endsWith('}\n'));
  });

  it('refuses what is no release, with path and place', () => {
    refuses(/^x\/release\.json is not JSON/, () => parseRelease('', 'x/release.json'));
    refuses(/^x\/release\.json is not a release: .*format/, () => parse({}));
    refuses(/format/, () => parse({...release, format: 'caisson-release-2'}));
    refuses(/architecture/, () => parse({...release, architecture: 'arm64'}));
    refuses(/more: unknown key/, () => parse({...release, more: 1}));
    refuses(/usr\.rootHash/, () => parse({...release, usr: {...release.usr, rootHash: 'x'}}));
    refuses(/sectorSize/, () => parse({...release, sectorSize: 520}));
  });

  it('refuses file names that lead anywhere else', () => {
    const file = {role: 'disk', bytes: 1, sha256: 'a'.repeat(64)};
    for (const name of ['../x', 'a/b', '/etc/passwd', '', '.', '..', '.hidden', 'a b', 'a\nb'])
      refuses(/files/, () => parse({...release, files: {[name]: file}}));
    parse({...release, files: {'disk-1.2.raw.zst': file}});
  });

  it('never fails in another way', () => {
    fc.assert(fc.property(fc.jsonValue(), (value) => succeedsOrThrows(ReleaseError, () => parse(value))));
  });
});

describe('fileOfRole', () => {
  it('finds the file, or names what the release lacks', () => {
    assert.equal(fileOfRole(release, 'uki'), 'uki.efi');
    refuses(/^release 1\.2\.3 has no pxe$/, () => fileOfRole(release, 'pxe'));
  });
});
