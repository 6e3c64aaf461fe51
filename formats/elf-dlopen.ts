/**
 * The JSON of a `.note.dlopen` note: which libraries a program opens while it runs, and how much it needs them.
 *
 * Specification: "dlopen() Metadata for ELF Files" (systemd). Unknown members are passed over, as it asks; an unknown
 * priority is refused, because guessing it wrong leaves a library out of an image.
 */
import {CodedError} from './errors.ts';

export type DlopenNoteErrorCode = 'not-json' | 'bad-shape';
export class DlopenNoteError extends CodedError<DlopenNoteErrorCode> {}

export interface DlopenNote {
  feature?: string;
  description?: string;
  priority: DlopenPriority;
  /** Alternatives: the program tries them in this order until one opens. */
  soname: string[];
}

const PRIORITIES = ['required', 'recommended', 'suggested'] as const;
export type DlopenPriority = (typeof PRIORITIES)[number];

/** The longest known is below 200 bytes. */
const MAX_NOTE_BYTES = 64 * 1024;

/** Parses the descriptor of one note: a JSON array in UTF-8 with NULs at its end. Throws DlopenNoteError. */
export function parseDlopenNote(data: Uint8Array): DlopenNote[] {
  if (data.length > MAX_NOTE_BYTES) {
    throw new DlopenNoteError('bad-shape', `${data.length} bytes exceed ${MAX_NOTE_BYTES}`);
  }
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', {fatal: true}).decode(data).replace(/\0+$/, ''));
  } catch (cause) {
    throw new DlopenNoteError('not-json', 'the descriptor is not JSON in UTF-8', {cause});
  }
  if (!Array.isArray(value)) throw new DlopenNoteError('bad-shape', 'the descriptor is not an array');
  return value.map(parseItem);
}

function parseItem(item: unknown): DlopenNote {
  if (typeof item !== 'object' || item === null)
    throw new DlopenNoteError('bad-shape', 'an item is not an object');
  const {feature, description, priority = 'recommended', soname} = item as Record<string, unknown>;
  const known = PRIORITIES.find((one) => one === priority);
  if (known === undefined) throw new DlopenNoteError('bad-shape', `priority is ${JSON.stringify(priority)}`);
  if (!Array.isArray(soname) || soname.length === 0 || !soname.every((one) => typeof one === 'string')) {
    throw new DlopenNoteError('bad-shape', `soname is ${JSON.stringify(soname)}, expected names in an array`);
  }
  if (!isOptionalText(feature) || !isOptionalText(description)) {
    throw new DlopenNoteError('bad-shape', 'feature and description must be text');
  }
  return {
    ...(feature === undefined ? {} : {feature}),
    ...(description === undefined ? {} : {description}),
    priority: known,
    soname,
  };
}

function isOptionalText(value: unknown): value is string | undefined {
  return value === undefined || typeof value === 'string';
}
