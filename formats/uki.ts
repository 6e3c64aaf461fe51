/**
 * What a UKI says about itself: the release it belongs to, and the /usr that it will accept.
 *
 * Format: the Unified Kernel Image specification. The command line's verity part is the one that image/command-line.ts
 * writes.
 */
import {type ByteSource, readExactly} from './byte-source.ts';
import {CodedError} from './errors.ts';
import {type OsRelease, decodeOsRelease} from './os-release.ts';
import {PE_HEAD_BYTES, type PeSection, decodePeSections} from './pe.ts';

export class UkiError extends CodedError<'missing-section' | 'bad-section' | 'no-usr'> {}

export interface Uki {
  osRelease: OsRelease;
  /** As `uname -r` will say it. */
  kernelRelease: string;
  commandLine: string;
  sections: readonly PeSection[];
}

/** What the command line demands of /usr. */
export interface UkiUsr {
  /** 64 hex digits. */
  rootHash: string;
  /** Bytes of the file system; the verity superblock follows there. */
  hashOffset: number;
}

/** Text sections are read whole; a kernel takes 2 kB of command line, an os-release is half of that. */
const MAX_TEXT_BYTES = 64 * 1024;
/** A file without one of these would not start. */
const REQUIRED_SECTIONS = ['.linux', '.initrd', '.osrel', '.cmdline', '.uname'] as const;

/** Throws UkiError, PeError, OsReleaseError or ByteSourceError. */
export async function readUki(source: ByteSource): Promise<Uki> {
  const head = await source.readAt(0, Math.min(PE_HEAD_BYTES, source.bytes));
  const sections = decodePeSections(head, source.bytes);
  for (const name of REQUIRED_SECTIONS) findSection(sections, name);
  const text = (name: string): Promise<string> => readText(source, findSection(sections, name));
  return {
    osRelease: decodeOsRelease(await text('.osrel')),
    kernelRelease: (await text('.uname')).trim(),
    commandLine: (await text('.cmdline')).trim(),
    sections,
  };
}

/** Throws UkiError when the command line names no /usr of a verity kind, or two: the last would win unseen. */
export function usrOfCommandLine(commandLine: string): UkiUsr {
  const words = commandLine.split(/\s+/);
  const valueOf = (name: string): string => {
    const [value, second] = words.filter((word) => word.startsWith(`${name}=`));
    if (value === undefined) throw new UkiError('no-usr', `the command line has no ${name}=`);
    if (second !== undefined) throw new UkiError('no-usr', `the command line has more than one ${name}=`);
    return value.slice(name.length + 1);
  };
  const rootHash = valueOf('usrhash');
  if (!/^[\da-f]{64}$/.test(rootHash))
    throw new UkiError('no-usr', `usrhash=${rootHash.slice(0, 100)} is not 64 hex digits`);
  const options = valueOf('systemd.verity_usr_options').split(',');
  const [, digits] = options.map((option) => /^hash-offset=(\d{1,15})$/.exec(option)).find(Boolean) ?? [];
  if (digits === undefined)
    throw new UkiError('no-usr', 'systemd.verity_usr_options= of the command line has no hash-offset');
  return {rootHash, hashOffset: Number(digits)};
}

function findSection(sections: readonly PeSection[], name: string): PeSection {
  const [found, second] = sections.filter((section) => section.name === name);
  if (found === undefined || found.bytes === 0)
    throw new UkiError('missing-section', `the file has no ${name} section: it is no UKI`);
  // More than one is for profiles, which Caisson does not make: the stub might take either.
  if (second !== undefined) throw new UkiError('bad-section', `the file has more than one ${name} section`);
  return found;
}

async function readText(source: ByteSource, {name, offset, bytes}: PeSection): Promise<string> {
  if (bytes > MAX_TEXT_BYTES)
    throw new UkiError('bad-section', `section ${name} has ${bytes} bytes, at most ${MAX_TEXT_BYTES}`);
  const content = await readExactly(source, offset, bytes, `section ${name}`);
  const text = Buffer.from(content).toString('utf8').replace(/\0+$/, '');
  if (text.includes('\0')) throw new UkiError('bad-section', `section ${name} has a NUL in its text`);
  return text;
}
