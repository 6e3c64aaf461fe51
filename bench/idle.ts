/**
 * What the update engine costs a host when it has nothing to do, on a booted machine: memory as the kernel accounts it,
 * processor time as systemd does. Under emulation the same work takes many times the processor time of a real machine.
 */
import {setTimeout as sleep} from 'node:timers/promises';
import type {SshClient} from '../qemu/ssh.ts';
import type {Figure} from './figure.ts';
import {DEADLINE, withBenchMachine} from './machine.ts';

const UNIT = 'update-engine.service';
/** What follows a boot is over by then. */
const SETTLE_MS = 60_000;
const WATCH_MS = 300_000;

export async function benchIdle(workDir: string, say: (text: string) => void): Promise<Figure[]> {
  say('idle: a machine boots, and its engine is watched for five minutes');
  return withBenchMachine(workDir, async (machine, ssh) => {
    await ssh.waitUntilUp(DEADLINE);
    await ssh.run(['systemctl', 'is-system-running', '--wait'], DEADLINE);
    await sleep(SETTLE_MS);
    const before = await property(ssh, 'CPUUsageNSec');
    await sleep(WATCH_MS);
    const usedNs = (await property(ssh, 'CPUUsageNSec')) - before;
    const memory = await ssh.output(['sudo', 'cat', `/proc/${await property(ssh, 'MainPID')}/status`]);
    const kilobytes = (field: string): number =>
      Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(memory)?.[1]);
    return [
      {what: 'engine, idle: resident', value: megabytes(kilobytes('VmRSS')), unit: 'MB'},
      {what: 'engine, idle: of that its own (anonymous)', value: megabytes(kilobytes('RssAnon')), unit: 'MB'},
      {
        what: `engine, idle: of one processor (${machine.spec.accelerator})`,
        value: Math.round(usedNs / WATCH_MS / 100) / 100,
        unit: '%',
      },
    ];
  });
}

async function property(ssh: SshClient, name: string): Promise<number> {
  return Number(await ssh.output(['systemctl', 'show', `--property=${name}`, '--value', UNIT]));
}

function megabytes(kilobytes: number): number {
  return Math.round((kilobytes * 1024) / 1e5) / 10;
}
