/** A host updates by a full payload: every byte of the release is downloaded, unpacked and written. */
import {describe, it} from 'node:test';
import {withUpdatedGuest} from '../vm/support/updated-guest.ts';
import {fullPayload} from '../vm/support/updates.ts';

describe('a host', () => {
  it('updates over HTTP by a full payload, and comes up good', async (t) => {
    await withUpdatedGuest(
      t,
      (second) => fullPayload(second, t.signal),
      () => Promise.resolve(),
    );
  });
});
