/** How long a first boot takes, from power on: the firmware by the console, the rest by the guest's own account. */
import {join} from 'node:path';
import {DEFAULT_OUT_DIR} from '../cli/paths.ts';
import {findRelease} from '../cli/releases.ts';
import {createOverlay} from '../qemu/disk.ts';
import {type Machine, startMachine} from '../qemu/machine.ts';
import {createSshKey} from '../qemu/ssh.ts';
import type {Figure} from './figure.ts';

const DEADLINE = {deadlineMs: 600_000};
/** Half of what an untuned image of the same packages needs from the selector on, on two cores by emulation. */
const TARGET = 'at most 35.5 s';

export async function benchBoot(workDir: string, say: (text: string) => void): Promise<Figure[]> {
  const {directory} = await findRelease(DEFAULT_OUT_DIR, undefined);
  const disk = join(workDir, 'boot.qcow2');
  await createOverlay(disk, {path: join(directory, 'disk.raw'), format: 'raw'}, 8 * 2 ** 30);
  const key = await createSshKey(workDir);
  say('boot: the first boot of a new machine, then the second');
  const machine = await startMachine({
    name: 'bench',
    disks: [{path: disk, format: 'qcow2', cache: 'unsafe'}],
    networks: [{kind: 'user', forwards: [{hostPort: 0, guestPort: 22}]}],
    credentials: {'caisson.ssh-authorized-keys': `${key.publicKey}\n`},
  });
  try {
    const first = await measureBoot(machine, key.identityFile, 0);
    const after = machine.console.position;
    await machine
      .ssh('core', key.identityFile)
      .run(['sudo', 'systemctl', 'reboot'])
      .catch(() => undefined);
    const second = await measureBoot(machine, key.identityFile, after);
    const accelerated = machine.spec.accelerator;
    return [
      {what: `power on to selector (${accelerated})`, value: first.selector, unit: 's'},
      ...figures('first boot', first),
      ...figures('second boot', second),
    ];
  } finally {
    await machine.kill();
  }
}

interface BootTimes {
  /** Seconds since QEMU started. */
  selector: number;
  kernel: number;
  initrd: number;
  userspace: number;
}

async function measureBoot(machine: Machine, identityFile: string, after: number): Promise<BootTimes> {
  const selector = await machine.console.waitFor(/caisson: booting/, {...DEADLINE, after});
  await machine.console.waitFor(/login:/, {...DEADLINE, after: selector.end});
  const ssh = machine.ssh('core', identityFile);
  await ssh.waitUntilUp(DEADLINE);
  await ssh.run(['systemctl', 'is-system-running', '--wait'], DEADLINE);
  const text = await ssh.output(['systemd-analyze']);
  const part = (name: string): number => {
    const match = new RegExp(`([\\d.]+)(ms|s) \\(${name}\\)`).exec(text);
    return match === null ? Number.NaN : Number(match[1]) / (match[2] === 'ms' ? 1000 : 1);
  };
  const reached = /reached after (?:(\d+)min )?([\d.]+)s in userspace/.exec(text);
  return {
    selector: Math.round(selector.atMs / 100) / 10,
    kernel: part('kernel'),
    initrd: part('initrd'),
    userspace: Number(reached?.[1] ?? 0) * 60 + Number(reached?.[2]),
  };
}

function figures(which: string, {kernel, initrd, userspace}: BootTimes): Figure[] {
  const round = (seconds: number): number => Math.round(seconds * 10) / 10;
  return [
    {what: `${which}: kernel, to the initrd`, value: round(kernel), unit: 's'},
    {what: `${which}: initrd, to switch-root`, value: round(initrd), unit: 's'},
    {what: `${which}: switch-root to multi-user`, value: round(userspace), unit: 's'},
    {
      what: `${which}: kernel to multi-user`,
      value: round(kernel + initrd + userspace),
      unit: 's',
      target: TARGET,
    },
  ];
}
