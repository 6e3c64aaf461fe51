/** What a test does to a machine that runs a release. */
import type {Deadline} from '../../../qemu/deadline.ts';
import type {Machine} from '../../../qemu/machine.ts';
import type {RunOptions, SshClient} from '../../../qemu/ssh.ts';

export class Guest {
  readonly machine: Machine;
  readonly ssh: SshClient;

  constructor(machine: Machine, ssh: SshClient) {
    this.machine = machine;
    this.ssh = ssh;
  }

  /** Standard output of a command run as the login user. Throws QemuError `remote-failed`. */
  run(command: readonly [string, ...string[]], options: RunOptions = {}): Promise<string> {
    return this.ssh.output(command, options);
  }

  /** The same as root. */
  runAsRoot(command: readonly [string, ...string[]], options: RunOptions = {}): Promise<string> {
    return this.ssh.output(['sudo', '-n', ...command], options);
  }

  /** Tells one boot from the next. */
  async bootId(): Promise<string> {
    return (await this.run(['cat', '/proc/sys/kernel/random/boot_id'])).trim();
  }

  /** Does what makes the machine boot again, and waits until the new boot answers. Throws QemuError `timed-out`. */
  async afterReboot(action: () => Promise<unknown>, options: Deadline): Promise<void> {
    const until = performance.now() + options.deadlineMs;
    const before = await this.bootId();
    await action();
    for (;;) {
      await this.ssh.waitUntilUp({...options, deadlineMs: until - performance.now()});
      // A connection may still be served by the boot that is going down, and break.
      const now = await this.bootId().catch(() => before);
      if (now !== before) return;
    }
  }

  /** Reboots by command. */
  reboot(options: Deadline): Promise<void> {
    // The connection may end before the command does.
    return this.afterReboot(() => this.runAsRoot(['systemctl', 'reboot']).catch(() => undefined), options);
  }

  /** Waits until every job of the boot is done; units may have failed. */
  async bootFinished(options: Deadline): Promise<void> {
    await this.ssh.run(['systemctl', 'is-system-running', '--wait'], options);
  }
}
