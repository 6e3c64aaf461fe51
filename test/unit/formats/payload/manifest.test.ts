import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {decodeManifest, encodeManifest} from '../../../../formats/payload/manifest.ts';
import {PayloadError} from '../../../../formats/payload/types.ts';
import {damaged, fc, succeedsOrThrows} from '../../../support/property.ts';
import {deltaManifest, fullManifest} from '../../../support/payload-sample.ts';

describe('decodeManifest', () => {
  for (const [what, manifest] of Object.entries({full: fullManifest(), delta: deltaManifest()})) {
    it(`gives back a ${what} payload as it was encoded`, () => {
      assert.deepEqual(decodeManifest(encodeManifest(manifest)), manifest);
    });

    it(`lets nothing but PayloadError out of a damaged ${what} one`, () => {
      fc.assert(
        fc.property(damaged(encodeManifest(manifest)), (bytes) =>
          succeedsOrThrows(PayloadError, () => decodeManifest(bytes)),
        ),
      );
    });
  }
});
