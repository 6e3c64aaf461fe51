/**
 * Accounts: by the host's own useradd and usermod, which know how to lock and rewrite four files. An account that is
 * there is never made anew: what only counts when one is made (its home, its own group, its number) stays as it is.
 */
import type {ConfigUser} from '../../formats/cloud-config/types.ts';
import type {Argv} from '../../platform/exec.ts';
import {type CloudHost, type Problem, problemOf} from './host.ts';
import type {Accounts} from './present.ts';

export type AccountChange =
  | {
      readonly kind: 'create-user';
      readonly name: string;
      readonly user: ConfigUser;
      readonly groups: readonly string[];
    }
  | {
      readonly kind: 'change-user';
      readonly name: string;
      /** Null leaves it. */
      readonly gecos: string | null;
      readonly shell: string | null;
      readonly addGroups: readonly string[];
      /** Empty for none: the account is open again. */
      readonly expires: string | null;
    }
  | {readonly kind: 'set-password'; readonly name: string; readonly hash: string};

const TIMEOUT_MS = 60_000;
const DEFAULT_SHELL = '/bin/bash';
/** shadow(5): days since 1970; a day that is past. */
const LONG_PAST = '1';

/** Pure. A group that does not exist is a problem, and the account is made without it. */
export function decideAccounts(
  users: readonly ConfigUser[],
  present: Accounts,
): {changes: AccountChange[]; problems: Problem[]} {
  const changes: AccountChange[] = [];
  const problems: Problem[] = [];
  // A group of a user's own comes with the user.
  const known = new Set([...present.groups.keys(), ...users.map(({name}) => name)]);
  for (const user of users) {
    const missing = user.groups.filter((name) => !known.has(name));
    if (missing.length > 0)
      problems.push({
        text: `the user ${user.name} cannot be in ${missing.join(', ')}: no such group`,
        hint: 'a group is made by a file in /etc/sysusers.d, or by the first user that has its name',
      });
    const groups = user.groups.filter((name) => known.has(name));
    const account = present.users.get(user.name);
    const hash = wantedHash(user);
    if (account !== undefined) changes.push(...changesOf(user, groups, account, present));
    else if (user.primaryGroup !== null && !known.has(user.primaryGroup)) {
      problems.push({text: `the user ${user.name} cannot be made: no group ${user.primaryGroup}`});
      continue;
    } else {
      // useradd refuses to make a group that is there, and does not take it by itself.
      const hasOwnGroup = present.groups.has(user.name) && user.primaryGroup === null && !user.noUserGroup;
      const whole = hasOwnGroup ? {...user, primaryGroup: user.name} : user;
      changes.push({kind: 'create-user', name: user.name, user: whole, groups});
    }
    if (hash !== null && account?.passwordHash !== hash)
      changes.push({kind: 'set-password', name: user.name, hash});
  }
  return {changes, problems};
}

/** Null when the config does not say. */
function wantedHash({passwordHash, lockPassword}: ConfigUser): string | null {
  if (!lockPassword || passwordHash === null) return passwordHash;
  return passwordHash.startsWith('!') ? passwordHash : `!${passwordHash}`;
}

function changesOf(
  user: ConfigUser,
  groups: readonly string[],
  account: {gecos: string; shell: string; expires: string},
  present: Accounts,
): AccountChange[] {
  const differing = (wanted: string | null, is: string): string | null => (wanted === is ? null : wanted);
  const change = {
    kind: 'change-user',
    name: user.name,
    gecos: differing(user.gecos, account.gecos),
    shell: differing(user.shell, account.shell),
    addGroups: groups.filter((name) => present.groups.get(name)?.members.includes(user.name) !== true),
    expires: user.inactive
      ? differing(LONG_PAST, account.expires)
      : account.expires === LONG_PAST
        ? ''
        : null,
  } as const;
  const isNone =
    change.gecos === null &&
    change.shell === null &&
    change.addGroups.length === 0 &&
    change.expires === null;
  return isNone ? [] : [change];
}

/** Every change that can be made is; what fails is among the problems. */
export async function performAccounts(
  host: CloudHost,
  changes: readonly AccountChange[],
): Promise<Problem[]> {
  const problems: Problem[] = [];
  const failed = new Set<string>();
  for (const change of changes) {
    if (failed.has(change.name)) continue;
    try {
      const {argv, stdin} = commandOf(change, host.root);
      await host.exec(argv, {timeoutMs: TIMEOUT_MS, ...(stdin === undefined ? {} : {stdin})});
    } catch (error) {
      failed.add(change.name);
      problems.push(problemOf(error, `the user ${change.name}`));
    }
  }
  return problems;
}

/** `root` is a folder in whose /etc the accounts are; empty on a host. */
export function commandOf(change: AccountChange, root: string): {argv: Argv; stdin?: string} {
  const prefix = root === '' ? [] : ['--prefix', root];
  const option = (name: string, value: string | null): string[] => (value === null ? [] : [name, value]);
  switch (change.kind) {
    case 'set-password':
      // On standard input: arguments can be read by everyone on the host.
      return {
        argv: ['chpasswd', ...(root === '' ? [] : ['--root', root]), '--encrypted'],
        stdin: `${change.name}:${change.hash}\n`,
      };
    case 'change-user':
      return {
        argv: [
          'usermod',
          ...prefix,
          ...option('--comment', change.gecos),
          ...option('--shell', change.shell),
          ...option('--expiredate', change.expires),
          ...(change.addGroups.length === 0 ? [] : ['--append', '--groups', change.addGroups.join(',')]),
          change.name,
        ],
      };
    case 'create-user': {
      const {user, groups} = change;
      return {
        argv: [
          'useradd',
          ...prefix,
          // No password fits it, but keys do.
          ...['--password', '*'],
          ...option('--comment', user.gecos),
          ...option('--home-dir', user.homedir),
          user.noCreateHome ? '--no-create-home' : '--create-home',
          ...option('--gid', user.primaryGroup),
          ...(groups.length === 0 ? [] : ['--groups', groups.join(',')]),
          ...(user.noUserGroup ? ['--no-user-group'] : []),
          ...(user.system ? ['--system'] : []),
          ...(user.noLogInit ? ['--no-log-init'] : []),
          ...(user.inactive ? ['--expiredate', LONG_PAST] : []),
          ...['--shell', user.shell ?? DEFAULT_SHELL],
          user.name,
        ],
      };
    }
  }
}
