/** An outcome as text, and as JSON. What only root may read is shown in neither. */
import type {Finding} from '../../formats/cloud-config/types.ts';
import {diffLines} from '../../formats/line-diff.ts';
import type {FileChange} from './files.ts';
import type {Change, Outcome} from './outcome.ts';
import type {FileState} from './present.ts';

const MAX_DIFF_LINES = 60;

/** Changes with `+`, `~` and `-` before them, and the lines of files that differ. */
export function renderChanges(changes: readonly Change[]): string {
  return changes
    .flatMap((change) => [headline(change), ...details(change)].map((line) => `${line}\n`))
    .join('');
}

function headline(change: Change): string {
  switch (change.kind) {
    case 'set-hostname':
      return `~ hostname ${change.from} -> ${change.to}`;
    case 'create-user':
      return `+ user ${change.name}`;
    case 'change-user':
      return `~ user ${change.name}: ${wordsOf(change)}`;
    case 'set-password':
      return `~ user ${change.name}: password`;
    case 'write-file': {
      const {before, mode, path} = change;
      const rights =
        before.kind === 'file' && before.mode === mode ? '' : ` (${mode.toString(8).padStart(4, '0')})`;
      return `${before.kind === 'absent' ? '+' : '~'} file ${path}${rights}`;
    }
    case 'remove-file':
      return change.restore === null ? `- file ${change.path}` : `~ file ${change.path}: as it was before`;
    case 'unit':
      return `* ${change.verb} ${change.unit}${change.why === '' ? '' : ` (${change.why})`}`;
    case 'run-script':
      return `* run the script (${change.bytes} bytes)`;
  }
}

function wordsOf(change: Change & {kind: 'change-user'}): string {
  return [
    ...(change.gecos === null ? [] : ['gecos']),
    ...(change.shell === null ? [] : [`shell ${change.shell}`]),
    ...(change.addGroups.length === 0 ? [] : [`groups ${change.addGroups.join(', ')}`]),
    ...(change.expires === null ? [] : [change.expires === '' ? 'active' : 'inactive']),
  ].join(', ');
}

function details(change: Change): readonly string[] {
  if (change.kind !== 'write-file') return [];
  return diffOf(change).map((line) => `    ${line}`);
}

function diffOf(change: FileChange & {kind: 'write-file'}): readonly string[] {
  if ((change.mode & 0o004) === 0) return ['(not shown: not everyone may read this file)'];
  const [before, after] = [textOf(change.before), decode(change.content)];
  if (before === null || after === null) return [`(${change.content.length} bytes that are no text)`];
  return diffLines(before, after, {maxLines: MAX_DIFF_LINES}).map((line) => line.replaceAll(/\p{Cc}/gu, '?'));
}

function textOf(state: FileState): string | null {
  return state.kind === 'file' ? decode(state.content) : '';
}

function decode(content: Uint8Array): string | null {
  try {
    const text = new TextDecoder('utf-8', {fatal: true}).decode(content);
    return text.includes('\0') ? null : text;
  } catch {
    return null;
  }
}

/** `FILE:LINE:COLUMN: error: text`, as compilers write it. */
export function renderFinding(where: string, {kind, line, column, text}: Finding): string {
  const word = kind === 'warning' ? 'warning' : 'error';
  return `${where}${line === 0 ? '' : `:${line}:${column}`}: ${word}: ${text}`;
}

export function outcomeJson(outcome: Outcome): string {
  const changes = outcome.changes.map((change) => {
    switch (change.kind) {
      case 'create-user':
        return {kind: change.kind, name: change.name, groups: change.groups};
      case 'set-password':
        return {kind: change.kind, name: change.name};
      case 'write-file': {
        const {kind, path, mode, uid, gid, before} = change;
        return {kind, path, mode, uid, gid, isNew: before.kind === 'absent', diff: diffOf(change)};
      }
      case 'remove-file':
        return {kind: change.kind, path: change.path, isRestored: change.restore !== null};
      case 'set-hostname':
      case 'change-user':
      case 'unit':
      case 'run-script':
        return change;
    }
  });
  return `${JSON.stringify({...outcome, changes}, undefined, 2)}\n`;
}
