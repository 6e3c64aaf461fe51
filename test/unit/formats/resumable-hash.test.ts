import assert from 'node:assert/strict';
import {createHash} from 'node:crypto';
import {describe, it} from 'node:test';
import {ResumableHashError, createResumableHash} from '../../../formats/resumable-hash.ts';
import {fc} from '../../support/property.ts';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

describe('createResumableHash', () => {
  it('gives the SHA-256 of FIPS 180-4, appendix B', async () => {
    const hash = await createResumableHash();
    hash.update(Buffer.from('abc'));
    assert.equal(hex(hash.digest()), 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
  });

  it('can be put down at any byte', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({maxLength: 400}), fc.nat(400), async (bytes, at) => {
        const first = await createResumableHash();
        first.update(bytes.subarray(0, at));
        const second = await createResumableHash(first.save());
        second.update(bytes.subarray(at));
        assert.equal(hex(second.digest()), createHash('sha256').update(bytes).digest('hex'));
      }),
    );
  });

  it('goes on after it was saved', async () => {
    const hash = await createResumableHash();
    hash.update(Buffer.from('a'));
    assert.notEqual(hash.save(), '');
    hash.update(Buffer.from('bc'));
    assert.match(hex(hash.digest()), /^ba7816bf/);
  });

  it('refuses what was not saved by it', async () => {
    const state = (await createResumableHash()).save();
    const other = Buffer.from(state, 'base64');
    other[0] = (other[0] ?? 0) ^ 1;
    for (const text of [
      '',
      'AAAA',
      `${state}=`,
      `${state}AAAA`,
      state.slice(4),
      '!'.repeat(156),
      other.toString('base64'),
    ])
      await assert.rejects(createResumableHash(text), ResumableHashError, text);
  });
});
