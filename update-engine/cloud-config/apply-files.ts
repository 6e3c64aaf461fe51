/** The second half of an application: files and units, and the record of both. */
import {isNetworkUnit} from '../../formats/cloud-config/units.ts';
import type {Wanted} from '../../formats/cloud-config/wanted.ts';
import {type FileChange, decideFiles, recordFiles} from './files.ts';
import {type CloudHost, type Problem, problemOf} from './host.ts';
import type {Change} from './outcome.ts';
import {type FileState, readAccounts, readFileState} from './present.ts';
import type {CloudRecord, RecordStore} from './record.ts';
import {performUnits, readUnitStates, reloadNetwork, reloadUnits} from './systemctl.ts';
import {decideRetirement, decideUnits, recordUnits} from './units.ts';
import {performFiles, saveOriginals} from './write-files.ts';

export interface SecondHalfOptions {
  readonly isDryRun: boolean;
  /** Takes nothing back: the config could not be read in all its parts. */
  readonly keepsUnmentioned: boolean;
  readonly newUsers: ReadonlySet<string>;
  /** In words. */
  readonly source: string;
  /** Whose config it is: see record.ts. */
  readonly origin: string;
  readonly userDataSha256: string;
}

export interface SecondHalf {
  readonly changes: readonly Change[];
  readonly problems: readonly Problem[];
  readonly notes: readonly string[];
}

export async function applyFilesAndUnits(
  host: CloudHost,
  store: RecordStore,
  wanted: Wanted,
  options: SecondHalfOptions,
): Promise<SecondHalf> {
  const {isDryRun} = options;
  const changes: Change[] = [];
  const problems: Problem[] = [];
  const notes: string[] = [];
  const written = await store.read();
  // What is not in this part of the record is not taken back, and stays in the whole.
  const record = ownPart(written, options.keepsUnmentioned ? null : options.origin);
  const paths = new Set([
    ...[...wanted.files, ...wanted.assignments].map(({path}) => path),
    ...[...written.files, ...written.assignments].map(({path}) => path),
  ]);
  const states = new Map<string, FileState>();
  for (const path of paths) states.set(path, await readFileState(host, path));
  const facts = {accounts: await readAccounts(host), record, states, newUsers: options.newUsers};
  const files = decideFiles(wanted.files, wanted.assignments, facts);
  problems.push(...files.problems);
  notes.push(...files.notes);

  const vanishing = unitsThatVanish(files.changes);
  const names = [
    ...wanted.units.map(({name}) => name),
    ...vanishing,
    ...record.enabled.map(({unit}) => unit),
  ];
  const before = await readUnitStates(
    host,
    names.filter((name) => !isNetworkUnit(name)),
  );
  const retirement = decideRetirement(wanted.units, record, vanishing, before);
  changes.push(...retirement, ...files.changes);

  let next: CloudRecord = {
    ...written,
    source: options.source.slice(0, 4096),
    appliedAt: host.now(),
    userDataSha256: options.userDataSha256,
  };
  let changed = new Set<string>(files.changes.flatMap(({unit}) => unit ?? []));
  if (!isDryRun) {
    const retired = await performUnits(host, retirement);
    problems.push(...retired.problems);
    next = recordUnits(next, retired.done, wanted.units, host.bootId, options.origin);
    const saved = await saveOriginals(store, files.changes);
    const recorded = recordFiles(
      {...next, files: written.files, assignments: written.assignments},
      files.changes,
      wanted,
      saved,
      options.origin,
    );
    next = withAll(recorded, {
      files: written.files.filter((file) => !record.files.includes(file)),
      assignments: written.assignments.filter((line) => !record.assignments.includes(line)),
    });
    await store.write(next);
    const result = await performFiles(host, store, files.changes);
    problems.push(...result.problems);
    changed = new Set(result.done.flatMap(({unit}) => unit ?? []));
    problems.push(...(await tellSystemd(host, changed)));
  }

  const unitFacts = {
    states: isDryRun
      ? before
      : await readUnitStates(
          host,
          wanted.units.flatMap(({name}) => (isNetworkUnit(name) ? [] : [name])),
        ),
    record: next,
    changed,
    coming: isDryRun ? unitsThatCome(files.changes) : new Set<string>(),
    bootId: host.bootId,
  };
  const units = decideUnits(wanted.units, unitFacts);
  changes.push(...units.changes);
  problems.push(...units.problems);
  if (!isDryRun) {
    const result = await performUnits(host, units.changes);
    problems.push(...result.problems);
    notes.push(...result.notes);
    await store.write(recordUnits(next, result.done, wanted.units, host.bootId, options.origin));
  }
  return {changes, problems, notes};
}

/** The entries of one origin, or none. */
function ownPart(record: CloudRecord, origin: string | null): CloudRecord {
  const isOwn = (entry: {origin: string}): boolean => entry.origin === origin;
  return {
    ...record,
    files: record.files.filter(isOwn),
    assignments: record.assignments.filter(isOwn),
    enabled: record.enabled.filter(isOwn),
    masked: record.masked.filter(isOwn),
  };
}

/** With the entries that this config has no say in. */
function withAll(record: CloudRecord, written: Pick<CloudRecord, 'files' | 'assignments'>): CloudRecord {
  const paths = new Set(record.files.map(({path}) => path));
  const keys = new Set(record.assignments.map(({path, key}) => `${key} ${path}`));
  return {
    ...record,
    files: [...record.files, ...written.files.filter(({path}) => !paths.has(path))],
    assignments: [
      ...record.assignments,
      ...written.assignments.filter(({path, key}) => !keys.has(`${key} ${path}`)),
    ],
  };
}

const UNIT_FILE = /^\/(?:etc|run)\/systemd\/system\/([^/]+)$/;

function unitsThatVanish(changes: readonly FileChange[]): ReadonlySet<string> {
  return new Set(
    changes.flatMap((change) =>
      change.kind === 'remove-file' && change.restore === null
        ? (UNIT_FILE.exec(change.path)?.[1] ?? [])
        : [],
    ),
  );
}

function unitsThatCome(changes: readonly FileChange[]): ReadonlySet<string> {
  return new Set(
    changes.flatMap((change) =>
      change.kind === 'write-file' ? (UNIT_FILE.exec(change.path)?.[1] ?? []) : [],
    ),
  );
}

async function tellSystemd(host: CloudHost, changed: ReadonlySet<string>): Promise<Problem[]> {
  const problems: Problem[] = [];
  const network = [...changed].some(isNetworkUnit);
  const others = [...changed].some((unit) => !isNetworkUnit(unit));
  for (const [isDue, action] of [
    [others, reloadUnits],
    [network, reloadNetwork],
  ] as const) {
    if (!isDue) continue;
    try {
      await action(host);
    } catch (error) {
      problems.push(problemOf(error));
    }
  }
  return problems;
}
