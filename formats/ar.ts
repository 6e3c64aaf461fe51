/**
 * The ar archive around a .deb: which members it has and where they lie.
 *
 * Only headers are looked at, one by one, so that the caller may read them from a file of any size. Rejected: GNU and
 * BSD long names, which no .deb uses (deb(5)).
 *
 * Format: ar(5), deb(5).
 */
import {CodedError} from './errors.ts';

export type ArErrorCode = 'bad-magic' | 'bad-header' | 'unsupported' | 'truncated' | 'too-many';
export class ArError extends CodedError<ArErrorCode> {}

export interface ArMember {
  name: string;
  /** Bytes from the start of the archive to the member's data. */
  offset: number;
  /** Bytes of data. */
  size: number;
  /** Where the next header begins, or the archive ends. */
  next: number;
}

export const AR_MAGIC = '!<arch>\n';
export const AR_HEADER_BYTES = 60;
/** A .deb has three members, and a few more if it is signed. */
const MAX_MEMBERS = 32;

/** Reads the 60 bytes of header that lie at `position` in the archive; the first is at AR_MAGIC.length. */
export function parseArHeader(header: Uint8Array, position: number): ArMember {
  if (header.length !== AR_HEADER_BYTES) {
    throw new ArError(
      'truncated',
      `header at ${position}: expected ${AR_HEADER_BYTES} bytes, got ${header.length}`,
    );
  }
  const text = Buffer.from(header).toString('latin1');
  const column = (start: number, end: number): string => text.slice(start, end).replace(/ +$/, '');
  const rawName = column(0, 16);
  const size = column(48, 58);
  const isNumeric = [column(16, 28), column(28, 34), column(34, 40), size].every((field) =>
    /^\d+$/.test(field),
  );
  if (
    !/^[!-~]+$/.test(rawName) ||
    !isNumeric ||
    !/^[0-7]+$/.test(column(40, 48)) ||
    text.slice(58) !== '`\n'
  ) {
    throw new ArError('bad-header', `header at ${position} is ${JSON.stringify(text)}`);
  }
  // dpkg writes `control.tar.xz`, GNU ar `control.tar.xz/`; names that begin with a slash or #1/ are the long ones.
  const name = rawName.replace(/\/$/, '');
  if (name === '' || name.includes('/'))
    throw new ArError('unsupported', `member name ${rawName} at ${position}`);
  const offset = position + AR_HEADER_BYTES;
  const end = offset + Number(size);
  return {name, offset, size: Number(size), next: end + (end % 2)};
}

/** The members of a whole archive in memory; their data must lie within it and nothing may follow them. */
export function listArMembers(bytes: Uint8Array): ArMember[] {
  const magic = Buffer.from(bytes.subarray(0, AR_MAGIC.length)).toString('latin1');
  if (magic !== AR_MAGIC) throw new ArError('bad-magic', `the archive begins with ${JSON.stringify(magic)}`);
  const members: ArMember[] = [];
  for (let position = AR_MAGIC.length; position < bytes.length;) {
    if (members.length === MAX_MEMBERS) throw new ArError('too-many', `more than ${MAX_MEMBERS} members`);
    const member = parseArHeader(bytes.subarray(position, position + AR_HEADER_BYTES), position);
    if (member.next > bytes.length) {
      throw new ArError('truncated', `${member.name} ends at ${member.next}, the archive at ${bytes.length}`);
    }
    members.push(member);
    position = member.next;
  }
  return members;
}
