/** The commands, from parsed words to an exit code. What prints and where is the caller's. */
import {readUserData} from '../../formats/cloud-config/user-data.ts';
import {applyUserData} from './apply.ts';
import type {Command} from './arguments.ts';
import {HELP} from './arguments.ts';
import {type CloudHost, type Problem, problemOf} from './host.ts';
import {type Outcome, hasFailed} from './outcome.ts';
import {type RecordStore, openRecord} from './record.ts';
import {outcomeJson, renderChanges, renderFinding} from './render.ts';
import {readSettings} from './settings.ts';
import {type FoundData, findUserData, readNamed} from './sources.ts';
import {validateUserData} from './validate.ts';

export interface CloudTerminal {
  out(text: string): void;
  /** Each is a line, or some. */
  error(text: string): void;
  warn(text: string): void;
  info(text: string): void;
  stdin(): Promise<Uint8Array>;
}

export async function runCommand(
  command: Command,
  host: CloudHost,
  terminal: CloudTerminal,
): Promise<number> {
  const store = openRecord(host, (text) => terminal.warn(text));
  switch (command.verb) {
    case 'help':
      terminal.out(HELP);
      return 0;
    case 'validate':
      return validate(command, host, terminal);
    case 'status':
      return status(store, command.isJson, terminal);
    case 'apply':
      return apply(command, host, command.isDryRun ? readOnly(store) : store, terminal);
  }
}

async function apply(
  command: Command & {verb: 'apply'},
  host: CloudHost,
  store: RecordStore,
  terminal: CloudTerminal,
): Promise<number> {
  let outcome: Outcome;
  try {
    outcome = await find(command, host, store);
  } catch (error) {
    outcome = {...NOTHING, isDryRun: command.isDryRun, problems: [problemOf(error)]};
  }
  if (command.isJson) terminal.out(outcomeJson(outcome));
  else report(outcome, terminal);
  return hasFailed(outcome) ? 1 : 0;
}

const NOTHING: Outcome = {source: null, isDryRun: false, findings: [], changes: [], problems: [], notes: []};

async function find(
  {place, isDryRun}: Command & {verb: 'apply'},
  host: CloudHost,
  store: RecordStore,
): Promise<Outcome> {
  const {found, notes}: {found: FoundData | null; notes: readonly string[]} =
    place === null ? await findUserData(host, store) : {found: await readNamed(host, place), notes: []};
  if (found === null) return {...NOTHING, isDryRun, notes: [...notes, 'no source has a cloud-config']};
  host.note(`using ${found.where}`);
  const outcome = await applyUserData(host, store, found, {isDryRun, settings: await readSettings(host)});
  return {...outcome, notes: [...notes, ...outcome.notes]};
}

/** Errors last: they are what a console shows when it stands still. */
function report(outcome: Outcome, terminal: CloudTerminal): void {
  const {source, isDryRun, findings, changes, problems, notes} = outcome;
  const where = source ?? 'cloud-config';
  if (changes.length > 0) terminal.out(renderChanges(changes));
  else if (source !== null && problems.length === 0 && findings.every(({kind}) => kind !== 'error'))
    terminal.info('everything is as the config has it');
  for (const note of notes) terminal.info(note);
  for (const finding of findings) {
    const text = renderFinding(where, finding);
    // What is passed over is no error of the host.
    if (finding.kind === 'error') terminal.error(text);
    else terminal.warn(text.replace(': error: ', ': warning: '));
  }
  for (const problem of problems) terminal.error(sentence(problem));
  if (isDryRun && changes.length > 0) terminal.info('nothing was changed (--dry-run)');
}

function sentence({text, hint}: Problem): string {
  return hint === undefined ? text : `${text}\nhint: ${hint}`;
}

async function validate(
  {place, isJson}: Command & {verb: 'validate'},
  host: CloudHost,
  terminal: CloudTerminal,
): Promise<number> {
  const where = place === '-' ? 'standard input' : place;
  const data =
    place === '-' ? readUserData(await terminal.stdin(), where) : (await readNamed(host, place)).data;
  const {findings, isValid, what} = validateUserData(data);
  if (isJson) terminal.out(`${JSON.stringify({where, what, isValid, findings}, undefined, 2)}\n`);
  else {
    for (const finding of findings) {
      if (finding.kind === 'warning') terminal.warn(renderFinding(where, finding));
      else terminal.error(renderFinding(where, finding));
    }
    if (isValid) terminal.out(`${where}: ${what}\n`);
  }
  return isValid ? 0 : 1;
}

async function status(store: RecordStore, isJson: boolean, terminal: CloudTerminal): Promise<number> {
  const record = await store.read();
  if (isJson) terminal.out(`${JSON.stringify(record, undefined, 2)}\n`);
  else if (record.source === '') terminal.out('no cloud-config was applied on this host\n');
  else {
    terminal.out(`applied ${new Date(record.appliedAt).toISOString()} from ${record.source}\n`);
    for (const {path} of record.files) terminal.out(`file ${path}\n`);
    for (const {path, key} of record.assignments) terminal.out(`line ${key}= in ${path}\n`);
    for (const {unit} of record.enabled) terminal.out(`enabled ${unit}\n`);
    for (const {unit} of record.masked) terminal.out(`masked ${unit}\n`);
  }
  return 0;
}

/** Reads the same, and writes nothing. */
function readOnly(store: RecordStore): RecordStore {
  return {
    ...store,
    write: () => Promise.resolve(),
    save: () => Promise.resolve(''),
    keep: () => Promise.resolve(),
    writeScript: () => Promise.resolve(''),
  };
}
