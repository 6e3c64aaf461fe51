/** The demo that newcomers run, as they run it: its story is told to the end, and each line of it is true. */
import assert from 'node:assert/strict';
import {join} from 'node:path';
import {describe, it} from 'node:test';
import {exec} from '../../platform/exec.ts';
import {ROOT_DIR} from '../support/sources.ts';
import {withTestFolder} from '../vm/support/with-machine.ts';

const TIMEOUT_MS = 90 * 60_000;

/** In this order, among other lines. */
const STORY = [
  /made a key pair/,
  /built release 1\.0\.0$/,
  /packed and signed release 1\.1\.0: \d+ MB to download/,
  /packed and signed release 1\.2\.0/,
  /the host is up, USR-A \(running\): 1\.0\.0, .* good; USR-B: empty/,
  /channel stable now offers 1\.1\.0/,
  /host: DOWNLOADING 1\.1\.0 \d+ %/,
  /server: .*: installed, waits for a reboot/,
  /reboot; caisson: booting USR-B/,
  /release 1\.1\.0 is found good, \d+ s after/,
  /USR-A: 1\.0\.0, .*; USR-B \(running\): 1\.1\.0, .* good$/,
  /channel stable now offers 1\.2\.0/,
  /reboot; caisson: booting USR-A/,
  /its health check failed, and the host gave it up; caisson: booting USR-B/,
  /back on release 1\.1\.0, \d+ s after/,
  /denied: 1\.2\.0: /,
  /asked again, the host answers: .*1\.2\.0/,
  /the note on ROOT still says: written before the updates/,
];

describe('caisson demo', () => {
  it('shows an update that goes well, and the way back from one that does not', async (t) => {
    await withTestFolder(t, async (folder) => {
      const lines: string[] = [];
      const say = (line: string): void => {
        lines.push(line);
        t.diagnostic(line);
      };
      const dir = join(folder, 'demo');
      await exec([join(ROOT_DIR, 'caisson'), 'demo', '--dir', dir], {
        ...{signal: t.signal, timeoutMs: TIMEOUT_MS, onLine: say},
      });
      let at = 0;
      for (const part of STORY) {
        const found = lines.findIndex((line, index) => index >= at && part.test(line));
        assert.ok(found >= 0, `no ${String(part)} after line ${at}:\n${lines.join('\n')}`);
        at = found + 1;
      }
    });
  });
});
