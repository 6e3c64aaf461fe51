/**
 * What a build needs to know of an ELF file to gather it with everything it loads: interpreter, needed libraries,
 * search path, and the dlopen notes.
 *
 * It reads program headers only, as the dynamic loader does: section headers may be stripped and may lie. Rejected:
 * asking `ldd`, which runs the loader of the build host on files of another system.
 *
 * Formats: System V ABI, "Object Files" and "Dynamic Linking", ELF64 little-endian.
 */
import {
  ElfError,
  parseHeader,
  parseSegments,
  part,
  PT,
  readString,
  toNumber,
  type ElfKind,
  type Segment,
} from './elf-header.ts';
import {parseDlopenNote, type DlopenNote} from './elf-dlopen.ts';

export {ElfError, isElf, type ElfErrorCode} from './elf-header.ts';
export type {DlopenNote} from './elf-dlopen.ts';

export interface ElfFile {
  /** e_machine; see ELF_MACHINES. */
  machine: number;
  /** `shared` is also what a position-independent program is; `executable` has a fixed address. */
  kind: ElfKind;
  /** The dynamic loader's path (PT_INTERP); absent in libraries and static programs. */
  interpreter?: string;
  soname?: string;
  /** DT_NEEDED in file order. */
  needed: string[];
  /** DT_RUNPATH and DT_RPATH, split at colons; `$ORIGIN` is left as it is. */
  runpath: string[];
  rpath: string[];
  /** Libraries that the program may open while it runs, of all notes in file order. */
  dlopen: DlopenNote[];
}

export const ELF_MACHINES = {x86_64: 62, aarch64: 183} as const;

const DYNAMIC_BYTES = 16;
const NOTE_HEADER_BYTES = 12;
const DT = {null: 0n, needed: 1n, strtab: 5n, strsz: 10n, soname: 14n, rpath: 15n, runpath: 29n} as const;
const MAX_DYNAMIC_ENTRIES = 4096;
const MAX_NOTES = 4096;

/** Reads one whole ELF64 little-endian file. Throws ElfError. */
export function parseElf(bytes: Uint8Array): ElfFile {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const header = parseHeader(bytes, view);
  const segments = parseSegments(view, header.programHeaders);
  const file: ElfFile = {
    machine: header.machine,
    kind: header.kind,
    needed: [],
    runpath: [],
    rpath: [],
    dlopen: [],
  };
  const interpreter = segments.find(({type}) => type === PT.interp);
  if (interpreter !== undefined) file.interpreter = readString(part(bytes, interpreter), 0, 'interpreter');
  const dynamic = segments.find(({type}) => type === PT.dynamic);
  if (dynamic !== undefined) readDynamic(bytes, segments, dynamic, file);
  let noteCount = 0;
  for (const segment of segments) {
    if (segment.type !== PT.note) continue;
    for (const note of readNotes(bytes, segment)) {
      noteCount += 1;
      if (noteCount > MAX_NOTES) throw new ElfError('too-many', `more than ${MAX_NOTES} notes`);
      file.dlopen.push(...parseNote(note));
    }
  }
  return file;
}

function readDynamic(bytes: Uint8Array, segments: readonly Segment[], dynamic: Segment, file: ElfFile): void {
  const table = part(bytes, dynamic);
  const view = new DataView(table.buffer, table.byteOffset, table.byteLength);
  const entries: {tag: bigint; value: bigint}[] = [];
  for (let at = 0; ; at += DYNAMIC_BYTES) {
    if (at + DYNAMIC_BYTES > table.length)
      throw new ElfError('bad-dynamic', 'the dynamic table has no end mark');
    const tag = view.getBigUint64(at, true);
    if (tag === DT.null) break;
    if (entries.length === MAX_DYNAMIC_ENTRIES)
      throw new ElfError('too-many', `over ${entries.length} dynamic entries`);
    entries.push({tag, value: view.getBigUint64(at + 8, true)});
  }
  const named = entries.filter(({tag}) =>
    [DT.needed, DT.soname, DT.rpath, DT.runpath].some((one) => one === tag),
  );
  if (named.length === 0) return;
  const strings = findStrings(bytes, segments, entries);
  for (const {tag, value} of named) {
    const text = readString(strings, toNumber(value, 'string offset'), 'dynamic string');
    if (tag === DT.needed) file.needed.push(text);
    else if (tag === DT.soname) file.soname = text;
    else if (tag === DT.rpath) file.rpath.push(...text.split(':'));
    else file.runpath.push(...text.split(':'));
  }
}

/** DT_STRTAB is an address in memory; the load segment around it tells where it lies in the file. */
function findStrings(
  bytes: Uint8Array,
  segments: readonly Segment[],
  entries: readonly {tag: bigint; value: bigint}[],
): Uint8Array {
  const valueOf = (tag: bigint): number => {
    const values = entries.filter((entry) => entry.tag === tag);
    if (values[0] === undefined || values.length > 1) {
      throw new ElfError('bad-dynamic', `dynamic tag ${tag} occurs ${values.length} times, expected once`);
    }
    return toNumber(values[0].value, `dynamic tag ${tag}`);
  };
  const [address, size] = [valueOf(DT.strtab), valueOf(DT.strsz)];
  const load = segments.find(
    (segment) =>
      segment.type === PT.load &&
      address >= segment.address &&
      address + size <= segment.address + segment.size,
  );
  if (load === undefined)
    throw new ElfError('bad-dynamic', `no segment holds the strings at address ${address}`);
  return part(bytes, {offset: load.offset + (address - load.address), size});
}

interface Note {
  name: string;
  type: number;
  data: Uint8Array;
}

function* readNotes(bytes: Uint8Array, segment: Segment): Generator<Note> {
  const table = part(bytes, segment);
  const view = new DataView(table.buffer, table.byteOffset, table.byteLength);
  // The ABI says 8 for 64-bit files; the GNU tools write 4 and mark the few that are of 8 by the segment.
  const align = segment.align === 8 ? 8 : 4;
  const padded = (size: number): number => Math.ceil(size / align) * align;
  for (let at = 0; at < table.length;) {
    if (at + NOTE_HEADER_BYTES > table.length)
      throw new ElfError('bad-note', `a note header is cut off at ${at}`);
    const nameBytes = view.getUint32(at, true);
    const dataBytes = view.getUint32(at + 4, true);
    const dataStart = padded(at + NOTE_HEADER_BYTES + nameBytes);
    const end = dataStart + dataBytes;
    if (end > table.length) throw new ElfError('bad-note', `a note ends at ${end} of ${table.length} bytes`);
    yield {
      name: Buffer.from(table.subarray(at + NOTE_HEADER_BYTES, at + NOTE_HEADER_BYTES + nameBytes)).toString(
        'latin1',
      ),
      type: view.getUint32(at + 8, true),
      data: table.subarray(dataStart, end),
    };
    at = padded(end);
  }
}

/** ELF_DLOPEN_METADATA of systemd: owner "FDO", this type, JSON text filled up with NULs. */
function parseNote(note: Note): DlopenNote[] {
  if (note.name !== 'FDO\0' || note.type !== 0x407c_0c0a) return [];
  try {
    return parseDlopenNote(note.data);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new ElfError('bad-note', `the dlopen note cannot be used: ${reason}`, {cause});
  }
}
