/** `caissonctl lock`: an operator's view of the reboot lock, and hand on it. */
import type {EtcdKeeper} from '../../coordination/etcd-lock.ts';
import type {LockCommand} from './arguments.ts';
import {EXIT_CODES} from './help.ts';
import {formatLock} from './lock-text.ts';
import type {Terminal} from './run.ts';

export interface LockTools {
  readonly keeper: EtcdKeeper;
  /** This host's name among the holders: its machine id. */
  readonly self: string;
}

/** Returns the exit code. Throws LockError. */
export async function runLock(
  command: LockCommand,
  {keeper, self}: LockTools,
  terminal: Terminal,
): Promise<number> {
  const {signal} = terminal;
  const group = keeper.group();
  const print = (result: object, text: string): number => {
    terminal.out(command.asJson ? `${JSON.stringify(result, undefined, 2)}\n` : text);
    return EXIT_CODES.ok;
  };
  switch (command.name) {
    case 'lock-status': {
      const view = await group.view(signal);
      return print(
        {where: keeper.where, self, ...view},
        formatLock(view, keeper.where, self, terminal.now()),
      );
    }
    case 'lock-groups': {
      const groups = await keeper.listGroups(signal);
      return print(groups, groups.map((name) => `${name === '' ? '(no group)' : name}\n`).join(''));
    }
    case 'lock-take': {
      const id = command.id ?? self;
      const answer = await group.tryAcquire(id, {reason: command.reason, version: null}, signal);
      print(
        answer,
        answer.kind === 'held' ? `${id} holds the lock\n` : `the lock is taken; caissonctl lock status\n`,
      );
      return answer.kind === 'held' ? EXIT_CODES.ok : EXIT_CODES.refused;
    }
    case 'lock-free': {
      const id = command.id ?? self;
      const outcome = await group.release(id, signal);
      const text =
        outcome === 'released' ? `${id} does not hold the lock any more\n` : `${id} did not hold the lock\n`;
      return print({id, outcome}, text);
    }
    case 'lock-set-max': {
      const result = await group.setMax(command.max, signal);
      return print(result, `at most ${result.max} at once, before ${result.oldMax}\n`);
    }
    case 'lock-set-expiry': {
      const result = await group.setExpiry(command.seconds, signal);
      const text =
        command.seconds === null
          ? 'holders stay until they let go'
          : `holders are dropped after ${command.seconds} s`;
      return print({...result, seconds: command.seconds}, `${text}\n`);
    }
  }
}
