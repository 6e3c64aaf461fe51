/** The words behind caisson-cloudinit; the flags of coreos-cloudinit that have a meaning here are understood, too. */
import {CodedError} from '../../formats/errors.ts';

export class UsageError extends CodedError<'usage'> {}

export type Command =
  | {
      readonly verb: 'apply';
      /** A path or an address; null looks at all sources. */
      readonly place: string | null;
      readonly isDryRun: boolean;
      readonly isJson: boolean;
      /** Started by the system: problems go to the console as well. */
      readonly isBoot: boolean;
    }
  | {readonly verb: 'validate'; readonly place: string; readonly isJson: boolean}
  | {readonly verb: 'status'; readonly isJson: boolean}
  | {readonly verb: 'help'};

export const HELP = `usage: caisson-cloudinit apply [FILE | URL] [--dry-run] [--json]
       caisson-cloudinit validate FILE | URL [--json]
       caisson-cloudinit status [--json]

apply      does what the cloud-config of this host says, and touches only what differs. Without a
           file the first source that has one counts: kernel argument cloud-config-url=, QEMU's
           firmware configuration, config drive, /oem/cloud-config.yml,
           /var/lib/caisson/cloud-config/user-data. With --dry-run only shows what it would do.
validate   finds everything that is wrong with a config, with line and column; - is standard input
status     tells what was applied last, and which files are from it

Exit codes: 0 done; 1 something could not be done, or the config has errors; 2 wrong use.
`;

const FLAGS = ['--dry-run', '--json', '--boot'];

/** Throws UsageError. */
export function parseArguments(words: readonly string[]): Command {
  const {flags, names} = split(words);
  const isJson = flags.has('--json');
  if (flags.has('--help') || names[0] === 'help') return {verb: 'help'};
  const verb = flags.has('--validate') ? 'validate' : (names.shift() ?? 'apply');
  const [place = null, ...more] = names;
  if (more.length > 0) throw new UsageError('usage', `one file at a time, got ${names.join(' ')}`);
  switch (verb) {
    case 'apply':
      return {verb, place, isJson, isDryRun: flags.has('--dry-run'), isBoot: flags.has('--boot')};
    case 'validate':
      if (place === null) throw new UsageError('usage', 'validate which file?');
      return {verb, place, isJson};
    case 'status':
      return {verb, isJson};
    default:
      throw new UsageError('usage', `no command ${verb}`, {hint: 'there are apply, validate and status'});
  }
}

function split(words: readonly string[]): {flags: Set<string>; names: string[]} {
  const flags = new Set<string>();
  const names: string[] = [];
  for (let at = 0; at < words.length; at += 1) {
    const word = words[at] ?? '';
    const [, flag = '', value] = /^--?([a-z-]+)(?:=(.*))?$/s.exec(word) ?? [];
    if (word === '-' || !word.startsWith('-')) names.push(word);
    else if (flag === 'from-file' || flag === 'from-url') {
      const place = value ?? words[(at += 1)];
      if (place === undefined) throw new UsageError('usage', `${word} wants a value`);
      if (
        names[0] === undefined &&
        !flags.has('--validate') &&
        !words.some((other) => /^--?validate$/.test(other))
      )
        names.unshift('apply');
      names.push(place);
    } else if (flag === 'validate' && value === undefined) flags.add('--validate');
    else if (['help', 'h'].includes(flag)) flags.add('--help');
    else if (FLAGS.includes(`--${flag}`) && value === undefined) flags.add(`--${flag}`);
    else throw new UsageError('usage', `no option ${word}`);
  }
  return {flags, names};
}
