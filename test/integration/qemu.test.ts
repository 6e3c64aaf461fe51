/** Real machines without an operating system (packages qemu-system-x86, qemu-utils, ovmf): firmware is enough. */
import assert from 'node:assert/strict';
import {once} from 'node:events';
import {mkdtemp, readdir, readFile, rm, writeFile} from 'node:fs/promises';
import {type AddressInfo, createServer} from 'node:net';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {after, before, describe, it} from 'node:test';
import {setTimeout as sleep} from 'node:timers/promises';
import {pathExists} from '../../platform/files.ts';
import {type RunningProcess, quoteArgv, start} from '../../platform/exec.ts';
import {detectAcceleration, probeAccelerator} from '../../qemu/acceleration.ts';
import {MachineConsole} from '../../qemu/console.ts';
import {QemuError, type QemuErrorCode} from '../../qemu/errors.ts';
import {type Machine, type MachineOptions, startMachine} from '../../qemu/machine.ts';
import {createSshKey} from '../../qemu/ssh.ts';
import {skipWithout} from '../support/tool.ts';

/** Emulated firmware takes 4 s on an idle host. */
const SOON = {deadlineMs: 300_000};
const OPTIONS = {name: 'firmware', memoryMiB: 128, cpus: 1, disks: [], networks: []} satisfies MachineOptions;

const skip =
  (await skipWithout(['qemu-system-x86_64'], 'qemu-system-x86')) ||
  (await skipWithout(['qemu-img'], 'qemu-utils'));

describe('a machine in QEMU', {skip}, () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'qemu-test-'));
  });
  after(() => rm(folder, {recursive: true}));

  it('can be emulated, and says in short time whether KVM works', async () => {
    assert.equal(await probeAccelerator('tcg'), undefined);
    const startedAt = performance.now();
    const acceleration = await detectAcceleration();
    assert.ok(performance.now() - startedAt < 20_000);
    if (acceleration.accelerator === 'tcg') assert.notEqual(acceleration.reason, '');
    assert.equal(detectAcceleration(), detectAcceleration());
  });

  it('starts its firmware, answers, is reset, and dies when its power is cut', async () => {
    const consoleLog = join(folder, 'console.log');
    await withMachine({...OPTIONS, consoleLog}, async (machine) => {
      const first = await machine.console.waitFor(/BdsDxe: .*/, SOON);
      assert.deepEqual(await machine.qmp.execute('query-status'), {
        status: 'running',
        running: true,
        singlestep: false,
      });
      await assert.rejects(machine.qmp.execute('frob'), hasCode('qmp-refused'));
      await assert.rejects(machine.waitForExit({deadlineMs: 10}), hasCode('timed-out'));
      await machine.reset();
      await machine.console.waitFor(/BdsDxe: .*/, {...SOON, after: first.end});
      assert.equal((await machine.kill()).signal, 'SIGKILL');
      assert.equal(await pathExists(machine.folder), false);
      assert.match(await readFile(consoleLog, 'utf8'), /BdsDxe[^]*BdsDxe/);
      await assert.rejects(machine.qmp.execute('query-status'), hasCode('exited'));
    });
  });

  it('keeps firmware variables where it is told to', async () => {
    const varsFile = join(folder, 'vars.fd');
    await withMachine({...OPTIONS, varsFile, paused: true}, (machine) => machine.kill());
    assert.equal(await pathExists(varsFile), true);
  });

  it('finds a free port for each forward', async () => {
    const forwards = [
      {hostPort: 0, guestPort: 22},
      {hostPort: 0, guestPort: 80},
    ];
    const options = {...OPTIONS, paused: true, networks: [{kind: 'user', forwards}]} satisfies MachineOptions;
    await withMachine(options, async (machine) => {
      const ports = [machine.hostPort(22), machine.hostPort(80)];
      assert.ok(ports.every((port) => port > 1023) && ports[0] !== ports[1]);
      assert.throws(() => machine.hostPort(443), hasCode('bad-spec'));
      const {identityFile} = await createSshKey(folder);
      const ssh = machine.ssh('core', identityFile);
      await assert.rejects(ssh.waitUntilUp({deadlineMs: 1_000}), hasCode('timed-out'));
    });
  });

  it("asks the network for something to boot with the firmware's own PXE client", async () => {
    await writeFile(join(folder, 'boot.efi'), 'no program');
    const tftp = {folder, bootFile: 'boot.efi'};
    const options = {...OPTIONS, networks: [{kind: 'user', boot: true, tftp}]} satisfies MachineOptions;
    // The client needs more memory than the firmware alone.
    await withMachine({...options, memoryMiB: 256}, async (machine) => {
      await machine.console.waitFor('>>Start PXE over IPv4', SOON);
      await machine.console.waitFor('NBP filename is boot.efi', SOON);
    });
  });

  it("passes QEMU's own words on when it does not start", async () => {
    const disk = {path: join(folder, 'missing.raw'), format: 'raw'} as const;
    await assert.rejects(startMachine({...OPTIONS, disks: [disk]}), (error) => {
      assert.ok(error instanceof QemuError);
      assert.equal(error.code, 'exited');
      assert.match(error.message, /missing\.raw.*No such file/);
      return true;
    });
  });

  it('loses its power when the signal says so', async () => {
    const power = new AbortController();
    const machine = await startMachine({...OPTIONS, signal: power.signal});
    power.abort();
    assert.equal((await machine.ended).signal, 'SIGKILL');
    assert.equal(await pathExists(machine.folder), false);
    await assert.rejects(startMachine({...OPTIONS, signal: power.signal}), {name: 'AbortError'});
  });

  it('runs in a terminal until someone types Ctrl-A X', async () => {
    const options = {...OPTIONS, consoleLog: join(folder, 'terminal.log')};
    const owner = await startOwner(
      folder,
      ['runInTerminal', 'terminal-machine.ts'],
      `const end = await runInTerminal({...${JSON.stringify(options)}, onStart: () => console.log('starting')});
       console.log('ended with', end.exitCode);`,
    );
    const terminal = new MachineConsole(owner.stdout);
    await terminal.waitFor('starting', SOON);
    await terminal.waitFor(/BdsDxe: .*/, SOON);
    owner.stdin.write('\u0001x');
    await terminal.waitFor('ended with 0', SOON);
    assert.match(await readFile(options.consoleLog, 'utf8'), /BdsDxe/);
    await owner.ended;
  });

  it('gives the terminal back when its owner is told to stop', async () => {
    const owner = join(folder, 'stopped.mts');
    const settings = (name: string) => join(folder, `${name}.stty`);
    await writeFile(
      owner,
      `import {runInTerminal} from ${JSON.stringify(join(import.meta.dirname, '../../qemu/terminal-machine.ts'))};
       const stopping = new AbortController();
       process.on('SIGTERM', () => stopping.abort());
       const options = {...${JSON.stringify(OPTIONS)}, signal: stopping.signal};
       await runInTerminal({...options, onStart: () => console.log('owner', process.pid, 'starts')});
       console.log('machine ended');`,
    );
    const node = quoteArgv(['node', ...process.execArgv, owner]);
    const save = (name: string) => `stty -g > ${settings(name)}`;
    const session = start([
      'script',
      ...['--quiet', '--flush', '--command', `${save('before')}; ${node}; ${save('after')}; echo all done`],
      '/dev/null',
    ]);
    try {
      const terminal = new MachineConsole(session.stdout);
      const {text} = await terminal.waitFor(/owner \d+ starts/, SOON);
      await terminal.waitFor(/BdsDxe: .*/, SOON);
      process.kill(Number(/\d+/.exec(text)?.[0]), 'SIGTERM');
      await terminal.waitFor('machine ended', SOON);
      await terminal.waitFor('all done', SOON);
    } finally {
      session.kill();
      await session.ended;
    }
    const before = await readFile(settings('before'), 'utf8');
    assert.notEqual(before, '');
    assert.equal(await readFile(settings('after'), 'utf8'), before);
  });

  it('says that a port is taken, and leaves the reason to QEMU', async () => {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const {port} = server.address() as AddressInfo;
    const taken = {kind: 'user', forwards: [{hostPort: port, guestPort: 22}]};
    const owner = await startOwner(
      folder,
      ['runInTerminal', 'terminal-machine.ts'],
      `await runInTerminal({...${JSON.stringify(OPTIONS)}, networks: [${JSON.stringify(taken)}]}).catch((error) =>
         console.log(error.code, error.message));`,
    );
    try {
      const said = new MachineConsole(owner.stdout);
      await said.waitFor('exited QEMU did not start firmware; it said why above', SOON);
      const {stderr} = await owner.ended;
      assert.match(stderr, new RegExp(`127\\.0\\.0\\.1:${port}`));
    } finally {
      server.close();
    }
  });

  it('does not outlive a process that was killed', async () => {
    const owner = await startOwner(
      folder,
      ['startMachine', 'machine.ts'],
      `const machine = await startMachine(${JSON.stringify({...OPTIONS, paused: true})});
       console.log(machine.folder);`,
    );
    const [output] = (await once(owner.stdout, 'data')) as [Buffer];
    const runtimeFolder = output.toString().trim();
    assert.equal((await qemuProcesses(runtimeFolder)).length, 1);
    owner.kill('SIGKILL');
    await owner.ended;
    for (let tries = 0; (await qemuProcesses(runtimeFolder)).length > 0; tries += 1) {
      assert.ok(tries < 1200, 'QEMU still runs a minute after its owner was killed');
      await sleep(50);
    }
    await rm(runtimeFolder, {recursive: true});
  });
});

async function withMachine(
  options: MachineOptions,
  use: (machine: Machine) => Promise<unknown>,
): Promise<void> {
  const machine = await startMachine(options);
  try {
    await use(machine);
  } finally {
    await machine.kill();
  }
}

/** Starts a process that runs the given lines, with a function of one of our modules imported. */
async function startOwner(
  folder: string,
  [imported, module]: readonly [string, string],
  lines: string,
): Promise<RunningProcess> {
  const script = join(folder, `${imported}.mts`);
  const path = join(import.meta.dirname, '../../qemu', module);
  await writeFile(script, `import {${imported}} from ${JSON.stringify(path)};\n${lines}\n`);
  return start(['node', ...process.execArgv, script]);
}

function hasCode(code: QemuErrorCode): (error: unknown) => boolean {
  return (error) => error instanceof QemuError && error.code === code;
}

/** The running processes that have this path among their arguments. */
async function qemuProcesses(path: string): Promise<string[]> {
  const found: string[] = [];
  for (const pid of await readdir('/proc')) {
    if (!/^\d+$/.test(pid)) continue;
    // A process may end while we look.
    const commandLine = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    if (commandLine.includes(path)) found.push(pid);
  }
  return found;
}
