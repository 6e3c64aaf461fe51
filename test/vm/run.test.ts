/** `caisson run` as a person has it: a terminal with the machine's console, `caisson ssh` beside it, and a way out. */
import assert from 'node:assert/strict';
import {readFile} from 'node:fs/promises';
import {join} from 'node:path';
import {describe, it} from 'node:test';
import {exec, quoteArgv, start} from '../../platform/exec.ts';
import {pathExists} from '../../platform/files.ts';
import {MachineConsole} from '../../qemu/console.ts';
import {releaseFolder} from '../support/release.ts';
import {ROOT_DIR} from '../support/sources.ts';
import {skipWithout} from '../support/tool.ts';
import {BOOT_DEADLINE_MS, withTestFolder} from './support/with-machine.ts';

const BOOT = {deadlineMs: BOOT_DEADLINE_MS};
const SOON = {deadlineMs: 300_000};
const CAISSON = join(ROOT_DIR, 'caisson');
const NOTE = join(ROOT_DIR, 'out/machine/machine.json');

const skip = await skipWithout(['script'], 'bsdutils');

describe('caisson run', {skip}, () => {
  it('gives the console, ssh, and the terminal back after Ctrl-A X', async (t) => {
    await withTestFolder(t, async (folder, consoleLog) => {
      const [before, after] = [join(folder, 'before'), join(folder, 'after')];
      const run = quoteArgv([CAISSON, 'run', releaseFolder()]);
      const session = start([
        'script',
        ...['--quiet', '--return', '--flush', '--command'],
        `stty -g > ${before}; ${run}; code=$?; stty -g > ${after}; exit $code`,
        '/dev/null',
      ]);
      const terminal = new MachineConsole(session.stdout, {logFile: consoleLog});
      try {
        await terminal.waitFor(/port (\d+) of 127\.0\.0\.1/, SOON);
        // The console logs its user in, and says again how to leave.
        await terminal.waitFor('From another terminal', BOOT);
        await terminal.waitFor(/core@.*\$ /, BOOT);
        const {stdout} = await exec([CAISSON, 'ssh', 'id -un; systemctl is-active ssh.socket ssh.service']);
        assert.match(stdout, /^core\n(.*\n)?active\n/);
        session.stdin.write('echo typed-$((6 * 7))\r');
        await terminal.waitFor('typed-42', SOON);
        session.stdin.write('\u0001x');
        assert.equal((await session.ended).exitCode, 0);
      } finally {
        session.kill();
        await session.ended;
      }
      const saved = await readFile(before, 'utf8');
      assert.notEqual(saved, '');
      assert.equal(await readFile(after, 'utf8'), saved);
      assert.equal(await pathExists(NOTE), false);
      const ssh = await exec([CAISSON, 'ssh', 'true'], {okCodes: [1]});
      assert.match(ssh.stderr, /no machine is running/);
    });
  });
});
