/**
 * The gates of a reboot on a real systemd, asked from within the engine's sandbox: inhibitors of logind, people with
 * terminals, programs of the operator.
 */
import assert from 'node:assert/strict';
import {join} from 'node:path';
import {describe, it} from 'node:test';
import {setTimeout as sleep} from 'node:timers/promises';
import {bundleProgram} from '../../build/bundle.ts';
import {type RunningProcess, start} from '../../platform/exec.ts';
import {sshArguments} from '../../qemu/ssh.ts';
import type {GateAnswer} from '../../update-engine/reboot/gate.ts';
import {ROOT_DIR} from '../support/sources.ts';
import type {Guest} from './support/guest.ts';
import {releaseImage} from './support/paths.ts';
import {withSharedGuest} from './support/shared-guest.ts';

const image = releaseImage();
const PROGRAM = '/run/gates.mjs';
const ANSWERS = '/run/gates.answers';
const UNIT = 'gates-probe.service';

/** A unit with everything that confines update-engine.service, and another program. */
async function installProbe(guest: Guest): Promise<void> {
  const code = await bundleProgram(join(ROOT_DIR, 'test/fixtures/reboot-gates-program.ts'), ROOT_DIR);
  await guest.runAsRoot(['sh', '-c', `cat > ${PROGRAM}`], {stdin: code});
  const unit = await guest.run(['cat', '/usr/lib/systemd/system/update-engine.service']);
  const confined = unit
    .replace(/^Type=notify$/m, 'Type=oneshot')
    .replace(/^ExecStart=.*$/m, `ExecStart=/usr/bin/node ${PROGRAM} $PROBE`)
    .replaceAll(/^(Restart.*|WatchdogSec|TimeoutStartSec)=.*\n/gm, '')
    .replace(
      /^\[Service\]$/m,
      `[Service]\nEnvironmentFile=/run/gates.env\nStandardOutput=truncate:${ANSWERS}`,
    );
  await guest.runAsRoot(['sh', '-c', `cat > /run/systemd/system/${UNIT} && systemctl daemon-reload`], {
    stdin: confined,
  });
}

async function prepare(guest: Guest, words: readonly string[], variable = ''): Promise<void> {
  await guest.runAsRoot(['sh', '-c', 'cat > /run/gates.env'], {
    stdin: `PROBE=${words.join(' ')}\n${variable}\n`,
  });
}

/** Asks a gate so many times at most; `words` are settings without spaces. */
async function ask(
  guest: Guest,
  gate: string,
  times = 1,
  words: readonly string[] = [],
  variable = '',
): Promise<GateAnswer[]> {
  await prepare(guest, [gate, String(times), ...words], variable);
  await guest.runAsRoot(['systemctl', 'start', UNIT]);
  return readAnswers(guest);
}

async function readAnswers(guest: Guest): Promise<GateAnswer[]> {
  const text = await guest.runAsRoot(['cat', ANSWERS]);
  return text.split('\n').flatMap((line) => (line === '' ? [] : (JSON.parse(line) as GateAnswer)));
}

async function askOnce(
  guest: Guest,
  gate: string,
  words: readonly string[] = [],
  variable = '',
): Promise<GateAnswer> {
  const [answer] = await ask(guest, gate, 1, words, variable);
  assert.ok(answer);
  return answer;
}

async function until(condition: () => Promise<boolean> | boolean, deadlineMs = 300_000): Promise<void> {
  const end = performance.now() + deadlineMs;
  while (!(await condition())) {
    assert.ok(performance.now() < end, 'it did not come in time');
    await sleep(200);
  }
}

/** Somebody who logs in with a terminal. */
class Person {
  readonly #ssh: RunningProcess;
  #seen = '';

  constructor(guest: Guest) {
    const target = {...guest.ssh.target};
    delete target.controlSocket;
    const [ssh, ...rest] = sshArguments(target, ['sh', '-c', 'echo I am in; exec cat']);
    this.#ssh = start([ssh, ...rest.map((word) => (word === '-T' ? '-tt' : word))]);
    this.#ssh.stdout.setEncoding('utf8').on('data', (text: string) => (this.#seen += text));
  }

  sees(pattern: RegExp): Promise<void> {
    return until(() => pattern.test(this.#seen));
  }

  async leave(): Promise<void> {
    this.#ssh.kill();
    await this.#ssh.ended;
  }
}

async function checkInhibitors(guest: Guest): Promise<void> {
  assert.deepEqual(await askOnce(guest, 'inhibitors'), {
    ...{kind: 'open', detail: 'nothing inhibits a shutdown', againMs: null},
  });
  const inhibit = async (unit: string, mode: string, what: string): Promise<void> => {
    const held = [
      'systemd-inhibit',
      `--what=${what}`,
      `--mode=${mode}`,
      '--who=backup',
      '--why=to tape',
    ] as const;
    await guest.runAsRoot(['systemd-run', '--quiet', `--unit=${unit}`, '--', ...held, 'sleep', '600']);
    await until(async () =>
      (await guest.run(['systemd-inhibit', '--list', '--no-pager'])).includes('backup'),
    );
  };
  await inhibit('late', 'delay', 'shutdown');
  assert.equal((await askOnce(guest, 'inhibitors')).kind, 'open');
  await guest.runAsRoot(['systemctl', 'stop', 'late']);
  await inhibit('backup', 'block', 'shutdown:sleep');
  const closed = await askOnce(guest, 'inhibitors');
  assert.equal(closed.kind, 'closed');
  assert.match(closed.detail, /^a shutdown is inhibited by backup \(process \d+\): to tape$/);
  await guest.runAsRoot(['systemctl', 'stop', 'backup']);
  assert.equal((await askOnce(guest, 'inhibitors')).kind, 'open');
  // Who cannot be asked has not said yes.
  const unknown = await askOnce(guest, 'inhibitors', [], 'DBUS_SYSTEM_BUS_ADDRESS=unix:path=/run/nobody');
  assert.equal(unknown.kind, 'unknown', unknown.detail);
  assert.match(unknown.detail, /^logind cannot be asked: /);
}

async function checkSessions(guest: Guest): Promise<void> {
  // The connection of this test has no terminal.
  assert.deepEqual(await askOnce(guest, 'sessions'), {
    kind: 'open',
    detail: 'nobody is logged in',
    againMs: null,
  });
  const person = new Person(guest);
  try {
    await person.sees(/I am in/);
    const held = await askOnce(guest, 'sessions', ['REBOOT_SESSION_WAIT=forever']);
    assert.equal(held.kind, 'closed', held.detail);
    assert.match(held.detail, /^logged in: core on pts\/\d+ from [\d.]+; waits for the end of that$/);
    await person.sees(/will reboot when everybody has logged out\. It restarts into release 0\.2\.0\./);
    const answers = await ask(guest, 'sessions', 50, ['REBOOT_SESSION_WAIT=4s']);
    assert.deepEqual([answers[0]?.kind, answers.at(-1)?.kind], ['closed', 'open']);
    assert.match(
      answers[0]?.detail ?? '',
      /^logged in and warned: core on .*; waits for \d seconds at most$/,
    );
    assert.match(answers.at(-1)?.detail ?? '', /^still logged in after a warning: core on pts/);
    await person.sees(/will reboot in 4 seconds\. .* Please save your work and log out\./);
  } finally {
    await person.leave();
  }
  await until(async () => (await askOnce(guest, 'sessions')).kind === 'open');
}

async function writeHook(guest: Guest, name: string, text: string): Promise<void> {
  const path = `/etc/caisson/hooks.d/pre-reboot/${name}`;
  await guest.runAsRoot(['sh', '-c', `mkdir -p $(dirname ${path}); cat > ${path}; chmod +x ${path}`], {
    stdin: `#!/bin/sh\n${text}\n`,
  });
}

async function checkHooks(guest: Guest): Promise<void> {
  // What the engine's sandbox forbids: writing there, and seeing other people's processes.
  await writeHook(
    guest,
    '10-drain',
    `env | grep ^CAISSON_ | sort > /var/lib/hook-saw
     test -r /proc/$(pgrep -u core | head -n1)/status || exit 9
     grep NoNewPrivs /proc/self/status >> /var/lib/hook-saw`,
  );
  const open = await askOnce(guest, 'hooks');
  assert.deepEqual(open, {kind: 'open', detail: '1 pre-reboot hook passed', againMs: null});
  assert.deepEqual((await guest.runAsRoot(['cat', '/var/lib/hook-saw'])).trim().split(/\n/), [
    'CAISSON_HOOK=pre-reboot',
    'CAISSON_PREVIOUS_VERSION=0.1.0',
    'CAISSON_REASON=update',
    'CAISSON_VERSION=0.2.0',
    'NoNewPrivs:\t0',
  ]);
  await writeHook(guest, '20-shop', 'echo the shop is open >&2; exit 7');
  const failed = await askOnce(guest, 'hooks');
  assert.deepEqual(
    [failed.kind, failed.detail],
    ['closed', 'pre-reboot hooks failed: pre-reboot/20-shop: exit code 7: the shop is open'],
  );
  // On a busy machine a second is short for one that does something.
  await guest.runAsRoot(['rm', '/etc/caisson/hooks.d/pre-reboot/10-drain']);
  await writeHook(guest, '20-shop', 'trap "" TERM; sleep 600');
  const hung = await askOnce(guest, 'hooks', ['REBOOT_HOOK_TIMEOUT=1s']);
  assert.equal(hung.kind, 'closed');
  assert.match(hung.detail, /^pre-reboot hooks failed: pre-reboot\/20-shop: did not end within 1 s/);
  // Not a failed unit: those are the business of the health checks.
  assert.doesNotMatch(await guest.run(['systemctl', '--failed', '--no-legend']), /caisson-hooks/);

  // Called off while a hook runs: nothing of it is left.
  await writeHook(guest, '20-shop', 'touch /run/shop-began; exec sleep 600');
  await prepare(guest, ['hooks', '1']);
  await guest.runAsRoot(['systemctl', 'start', '--no-block', UNIT]);
  await until(async () => (await guest.ssh.run(['test', '-e', '/run/shop-began'])).exitCode === 0);
  await guest.runAsRoot(['systemctl', 'stop', UNIT]);
  const hooksUnit = 'caisson-hooks@pre-reboot.service';
  await until(async () => {
    const state = await guest.run(['systemctl', 'show', '--property=ActiveState', '--value', hooksUnit]);
    return state.trim() === 'inactive';
  });
  assert.notEqual((await guest.ssh.run(['pgrep', '-f', 'sleep 600'])).exitCode, 0);
}

async function checkWindow(guest: Guest): Promise<void> {
  await guest.runAsRoot(['timedatectl', 'set-timezone', 'Asia/Kathmandu']);
  const settings = ['REBOOT_WINDOW_START=00:00', 'REBOOT_WINDOW_LENGTH=23h59m59s'];
  const {kind, detail} = await askOnce(guest, 'window', settings);
  assert.equal(kind, 'open');
  assert.match(detail, /^the window is open( until \w{3} \d\d:\d\d \(Asia\/Kathmandu\))?$/);
}

describe('the gates of a reboot', () => {
  it('see inhibitors, people and hooks from within the sandbox of the engine', async (t) => {
    await withSharedGuest(t, {image}, async (guest) => {
      await installProbe(guest);
      await checkInhibitors(guest);
      await checkSessions(guest);
      await checkHooks(guest);
      await checkWindow(guest);
    });
  });
});
