/** The helpers of these tests, on the release: the shared saved guest, and power cuts. boot.test.ts has the others. */
import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {releaseImage} from './support/paths.ts';
import {withSharedGuest} from './support/shared-guest.ts';
import {BOOT_DEADLINE_MS} from './support/with-machine.ts';

const BOOT = {deadlineMs: BOOT_DEADLINE_MS};

describe('the shared guest', () => {
  it('runs with the right time and its own words', async (t) => {
    await withSharedGuest(t, {image: releaseImage()}, async (guest) => {
      const seconds = Number(await guest.run(['date', '+%s']));
      assert.ok(Math.abs(seconds - Date.now() / 1000) < 60, `the guest's clock is at ${seconds}`);
      assert.equal(await guest.run(['printf', '%s|', 'a b', "c'd", '$HOME']), "a b|c'd|$HOME|");
      await guest.run(['sh', '-c', 'echo from-one > ~/trace; sync']);
    });
  });

  it('is the same boot for the next test, without what the test before did', async (t) => {
    const boots: string[] = [];
    await withSharedGuest(t, {image: releaseImage()}, async (guest) => {
      boots.push(await guest.bootId());
      assert.equal((await guest.ssh.run(['test', '-e', 'trace'])).exitCode, 1);
      // A second one beside it, on another port.
      await withSharedGuest(t, {image: releaseImage()}, async (other) => {
        boots.push(await other.bootId());
        assert.notEqual(other.ssh.target.port, guest.ssh.target.port);
      });
    });
    assert.equal(boots[0], boots[1]);
  });

  it('can lose its power and boot again', async (t) => {
    await withSharedGuest(t, {image: releaseImage()}, async (guest) => {
      await guest.run(['sh', '-c', 'echo kept > ~/trace; sync']);
      await guest.afterReboot(() => guest.machine.reset(), BOOT);
      assert.equal((await guest.run(['cat', 'trace'])).trim(), 'kept');
    });
  });
});
