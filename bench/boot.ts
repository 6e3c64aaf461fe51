/** How long a first boot takes, from power on: the firmware by the console, the rest by the guest's own account. */
import type {Machine} from '../qemu/machine.ts';
import type {SshClient} from '../qemu/ssh.ts';
import type {Figure} from './figure.ts';
import {DEADLINE, withBenchMachine} from './machine.ts';

/** Half of what an untuned image of the same packages needs from the selector on, on two cores by emulation. */
const TARGET = 'at most 35.5 s';

export async function benchBoot(workDir: string, say: (text: string) => void): Promise<Figure[]> {
  say('boot: the first boot of a new machine, then the second');
  return withBenchMachine(workDir, async (machine, ssh) => {
    const first = await measureBoot(machine, ssh, 0);
    const after = machine.console.position;
    await ssh.run(['sudo', 'systemctl', 'reboot']).catch(() => undefined);
    const second = await measureBoot(machine, ssh, after);
    const accelerated = machine.spec.accelerator;
    return [
      {what: `power on to selector (${accelerated})`, value: first.selector, unit: 's'},
      ...figures('first boot', first),
      ...figures('second boot', second),
    ];
  });
}

interface BootTimes {
  /** Seconds since QEMU started. */
  selector: number;
  kernel: number;
  initrd: number;
  userspace: number;
}

async function measureBoot(machine: Machine, ssh: SshClient, after: number): Promise<BootTimes> {
  const selector = await machine.console.waitFor(/caisson: booting/, {...DEADLINE, after});
  await machine.console.waitFor(/login:/, {...DEADLINE, after: selector.end});
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
