import assert from 'node:assert/strict';
import {verify} from 'node:crypto';
import {describe, it} from 'node:test';
import {keyFingerprint} from '../../../formats/payload/keys.ts';
import {ReleaseError} from '../../../formats/release.ts';
import {
  formatReleaseSignatures,
  parseReleaseSignatures,
  signRelease,
  signerOfRelease,
} from '../../../formats/release-signatures.ts';
import {OTHER_KEY, TEST_KEY} from '../../support/payload.ts';

const MANIFEST = '{"version": "1.0.0"}\n';
const [mine, other] = [
  {name: 'mine', key: TEST_KEY.publicKey},
  {name: 'other', key: OTHER_KEY.publicKey},
];

describe('signatures of a release', () => {
  const text = signRelease(MANIFEST, [TEST_KEY.privateKey]);
  const lines = parseReleaseSignatures(text, 'x');

  it('are plain ones, which any tool can check', () => {
    const [line] = lines;
    assert.ok(line !== undefined);
    assert.equal(line.fingerprint, keyFingerprint(TEST_KEY.publicKey));
    assert.ok(verify('sha256', Buffer.from(MANIFEST), TEST_KEY.publicKey, line.signature));
  });

  it('are read as they were written', () => {
    const both = signRelease(MANIFEST, [OTHER_KEY.privateKey, TEST_KEY.privateKey]);
    assert.equal(formatReleaseSignatures(parseReleaseSignatures(both, 'x')), both);
  });

  it('name the key that made one, and no key that did not', () => {
    assert.equal(signerOfRelease(MANIFEST, lines, [other, mine]), mine);
    assert.equal(signerOfRelease(MANIFEST, lines, [other]), undefined);
    assert.equal(signerOfRelease(MANIFEST, lines, []), undefined);
    assert.equal(signerOfRelease(`${MANIFEST} `, lines, [mine]), undefined);
    // What a line says of itself is worth nothing.
    const lying = lines.map((line) => ({...line, fingerprint: keyFingerprint(OTHER_KEY.publicKey)}));
    assert.equal(signerOfRelease(MANIFEST, lying, [other]), undefined);
  });

  for (const [name, wrong] of [
    ['nothing', ''],
    ['something else', 'hello\n'],
    ['a line too many', `${text}\n`],
    ['nine', text.repeat(9)],
    ['a key that is none', text.replace(/^./, 'x')],
    ['a signature that is cut', text.slice(0, 200)],
  ] as const)
    it(`are refused for ${name}`, () => {
      assert.throws(() => parseReleaseSignatures(wrong, 'x'), ReleaseError);
    });
});
