/** What `caisson config` does with a file: our own checks first, then those of Ignition, if its checker is at hand. */
import {readFile} from 'node:fs/promises';
import {translateButane} from '../../formats/ignition/butane.ts';
import {checkIgnitionConfig} from '../../formats/ignition/check-config.ts';
import {IgnitionError} from '../../formats/ignition/errors.ts';
import {MAX_IGNITION_BYTES} from '../../formats/ignition/read-config.ts';
import type {Finding} from '../../formats/ignition/shape.ts';
import {exec} from '../../platform/exec.ts';
import {openFolder} from './local-files.ts';

export interface Verdict {
  /** One a line, with file, line and column. Empty for a good config. */
  readonly problems: readonly string[];
  /** For the person, when not all was checked. */
  readonly note: string | null;
}

/** `checker` is the path of ignition-validate; null when there is none. Throws IgnitionError, YamlError. */
export async function checkFile(path: string, checker: string | null): Promise<Verdict> {
  const data = await readFile(path);
  if (!/^\s*\{/.test(data.toString('utf8', 0, 1000))) {
    translateFile(data, path, null);
    return {problems: [], note: null};
  }
  const problems = checkIgnitionConfig(data, path).map((finding) => lineOf(path, finding));
  if (checker === null)
    return {problems, note: 'ignition-validate is not at hand: only our own checks were made'};
  const {stdout, stderr, exitCode} = await exec([checker, path], {okCodes: [0, 1], timeoutMs: 60_000});
  const words = `${stdout}${stderr}`.split('\n').filter((line) => line.trim() !== '');
  // It repeats what we say with a place.
  const isNew = problems.length === 0 && (exitCode !== 0 || words.length > 0);
  return {problems: isNew ? words.map((line) => `${path}: ${line}`) : problems, note: null};
}

/** The config as JSON. `folder` holds local files. Throws IgnitionError with all findings, YamlError. */
export function translateFile(data: Uint8Array, path: string, folder: string | null): string {
  if (data.length > MAX_IGNITION_BYTES)
    throw new IgnitionError('too-large', `${path}: ${data.length} bytes, more than ${MAX_IGNITION_BYTES}`);
  const {text, findings} = translateButane(
    Buffer.from(data).toString('utf8'),
    folder === null ? null : openFolder(folder),
  );
  if (text !== null) return text;
  throw new IgnitionError('bad-config', findings.map((finding) => lineOf(path, finding)).join('\n'));
}

function lineOf(path: string, {line, column, text, kind}: Finding): string {
  return `${path}:${line}:${column}: ${kind === 'warning' ? 'warning: ' : ''}${text}`;
}
