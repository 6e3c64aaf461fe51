/** Which files there are to write and to take back: wanted, present and recorded compared. Pure. */
import {assignVariables, readVariable} from '../../formats/environment-lines.ts';
import type {WantedAssignments, WantedFile} from '../../formats/cloud-config/wanted.ts';
import type {Problem} from './host.ts';
import type {Accounts, FileState} from './present.ts';
import {type CloudRecord, type SavedFile, hashOf} from './record.ts';

export type FileChange =
  | {
      readonly kind: 'write-file';
      readonly path: string;
      readonly content: Uint8Array;
      readonly mode: number;
      /** Null for the number of an account that is yet to be made. */
      readonly uid: number | null;
      readonly gid: number | null;
      readonly before: FileState;
      readonly unit: string | null;
      /** Whether the file as a whole is of the config, or single lines of it. */
      readonly isWhole: boolean;
    }
  | {
      readonly kind: 'remove-file';
      readonly path: string;
      readonly before: FileState;
      /** What takes its place again. */
      readonly restore: SavedFile | null;
      readonly unit: string | null;
    };

export interface FileFacts {
  readonly accounts: Accounts;
  readonly record: CloudRecord;
  /** Of every path that is wanted or recorded. */
  readonly states: ReadonlyMap<string, FileState>;
  /** Accounts that this run is about to make. */
  readonly newUsers: ReadonlySet<string>;
}

export interface FileDecision {
  readonly changes: readonly FileChange[];
  readonly problems: readonly Problem[];
  readonly notes: readonly string[];
}

export function decideFiles(
  files: readonly WantedFile[],
  assignments: readonly WantedAssignments[],
  facts: FileFacts,
): FileDecision {
  const changes: FileChange[] = [];
  const problems: Problem[] = [];
  const notes: string[] = [];
  for (const file of files) {
    const before = stateOf(facts, file.path);
    const owner = resolveOwner(file.owner, facts);
    if (owner === null)
      problems.push({text: `${file.path} cannot belong to ${file.owner}: no such user or group`});
    else if (before.kind === 'other')
      problems.push({text: `${file.path} is a folder or a device, not a file`});
    else if (!isSame(before, file, owner))
      changes.push({kind: 'write-file', ...file, ...owner, before, isWhole: true});
  }
  changes.push(...decideAssignments(assignments, new Set(files.map(({path}) => path)), facts, problems));
  changes.push(...decideRemovals(files, facts, notes));
  return {changes, problems, notes};
}

function stateOf({states}: FileFacts, path: string): FileState {
  return states.get(path) ?? {kind: 'absent'};
}

interface Owner {
  readonly uid: number | null;
  readonly gid: number | null;
}

/** Null when there is no such account. A user without a group brings the group of its own. */
function resolveOwner(owner: string, {accounts, newUsers}: FileFacts): Owner | null {
  const [user = '', group = ''] = owner.split(':');
  const account = accounts.users.get(user);
  const uid = numberOf(user) ?? account?.uid ?? (newUsers.has(user) ? null : undefined);
  if (uid === undefined) return null;
  if (group === '') return {uid, gid: account?.gid ?? (uid === null ? null : 0)};
  const gid = numberOf(group) ?? accounts.groups.get(group)?.gid ?? (newUsers.has(group) ? null : undefined);
  return gid === undefined ? null : {uid, gid};
}

function numberOf(text: string): number | undefined {
  return /^\d+$/.test(text) ? Number(text) : undefined;
}

function isSame(state: FileState, file: WantedFile, {uid, gid}: Owner): boolean {
  return (
    state.kind === 'file' &&
    state.mode === file.mode &&
    state.uid === uid &&
    state.gid === gid &&
    Buffer.compare(state.content, file.content) === 0
  );
}

/** Lines that are set, and lines that were set once and are not wanted any more. */
function decideAssignments(
  wanted: readonly WantedAssignments[],
  wholePaths: ReadonlySet<string>,
  facts: FileFacts,
  problems: Problem[],
): FileChange[] {
  const paths = new Set([...wanted.map(({path}) => path), ...facts.record.assignments.map(({path}) => path)]);
  return [...paths].flatMap((path): FileChange[] => {
    // The config has the whole file as well, and that is what counts.
    if (wholePaths.has(path)) return [];
    const before = stateOf(facts, path);
    if (before.kind === 'other' || before.kind === 'link') {
      problems.push({text: `${path} is no ordinary file, and its lines are left alone`});
      return [];
    }
    const request = wanted.find((each) => each.path === path);
    const text = before.kind === 'file' ? Buffer.from(before.content).toString('utf8') : '';
    const content = assignVariables(text, linesOf(request, path, text, facts.record));
    if (content === text) return [];
    const [mode, uid, gid] =
      before.kind === 'file'
        ? [before.mode, before.uid, before.gid]
        : [request?.isSecret === true ? 0o600 : 0o644, 0, 0];
    return [
      {
        kind: 'write-file',
        path,
        content: Buffer.from(content),
        mode,
        uid,
        gid,
        before,
        unit: null,
        isWhole: false,
      },
    ];
  });
}

function linesOf(
  request: WantedAssignments | undefined,
  path: string,
  text: string,
  record: CloudRecord,
): Map<string, string | null> {
  const values = new Map<string, string | null>(request?.values);
  for (const {path: recorded, key, value, before} of record.assignments) {
    if (recorded !== path || values.has(key)) continue;
    // Someone else has set it since: theirs now.
    if (readVariable(text, key) === value) values.set(key, before);
  }
  return values;
}

/** Whole files that the config before this one wrote. What was changed since then is somebody else's. */
function decideRemovals(files: readonly WantedFile[], facts: FileFacts, notes: string[]): FileChange[] {
  const wanted = new Set(files.map(({path}) => path));
  return facts.record.files.flatMap(({path, sha256, before: restore}): FileChange[] => {
    if (wanted.has(path)) return [];
    const before = stateOf(facts, path);
    if (before.kind === 'absent') return [];
    if (before.kind !== 'file' || hashOf(before.content) !== sha256) {
      notes.push(`${path} is not in the config any more, but was changed since, and stays`);
      return [];
    }
    return [{kind: 'remove-file', path, before, restore, unit: unitOf(path)}];
  });
}

function unitOf(path: string): string | null {
  return (
    /^\/(?:etc|run)\/systemd\/(?:system|network)\/([^/]+?\.[a-z]+)(?:\.d\/[^/]+)?$/.exec(path)?.[1] ?? null
  );
}

/** The record with what these changes do: written before they are made. `saved` has names of copies by path. */
export function recordFiles(
  record: CloudRecord,
  changes: readonly FileChange[],
  wanted: {files: readonly WantedFile[]; assignments: readonly WantedAssignments[]},
  saved: ReadonlyMap<string, SavedFile>,
  origin: string,
): CloudRecord {
  const files = new Map(record.files.map((file) => [file.path, file]));
  for (const change of changes) {
    if (change.kind === 'remove-file') files.delete(change.path);
    else if (change.isWhole) {
      const known = files.get(change.path);
      const before = known === undefined ? (saved.get(change.path) ?? null) : known.before;
      files.set(change.path, {path: change.path, sha256: hashOf(change.content), before, origin});
    }
  }
  const wantedPaths = new Set(wanted.files.map(({path}) => path));
  const removed = new Set(changes.flatMap((change) => (change.kind === 'remove-file' ? [change.path] : [])));
  // What is gone, or someone else's by now, is not ours any more.
  const kept = [...files.values()].filter(({path}) => wantedPaths.has(path) || removed.has(path));
  return {
    ...record,
    files: kept,
    assignments: recordAssignments(record, changes, wanted.assignments, origin),
  };
}

function recordAssignments(
  record: CloudRecord,
  changes: readonly FileChange[],
  wanted: readonly WantedAssignments[],
  origin: string,
): CloudRecord['assignments'] {
  return wanted.flatMap(({path, values}) => {
    const change = changes.find((each) => each.path === path && each.kind === 'write-file');
    const state = change?.before;
    const text = state?.kind === 'file' ? Buffer.from(state.content).toString('utf8') : '';
    return [...values].flatMap(([key, value]) => {
      const known = record.assignments.find((each) => each.path === path && each.key === key);
      if (known !== undefined) return [{...known, value, origin}];
      // A line that was there already as wanted is not ours to take away.
      if (change === undefined || readVariable(text, key) === value) return [];
      return [{path, key, value, before: readVariable(text, key), origin}];
    });
  });
}
