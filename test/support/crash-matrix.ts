/**
 * The matrix of power cuts: an operation is run once on a disk that writes everything down; then, for every disk that
 * a power cut could have left, the machine must start the old or the new system, and the operation must succeed when it
 * is run again.
 */
import {createHash} from 'node:crypto';
import assert from 'node:assert/strict';
import type {GptTable} from '../../formats/gpt/types.ts';
import {readGpt} from '../../platform/gpt-disk.ts';
import {type Verdict, judge} from './crash-verdict.ts';
import {type CutSampling, powerCuts} from './power-cut.ts';
import {type DiskImage, RecordingDisk, type Scope} from './recording-disk.ts';

export interface Scenario {
  name: string;
  start: DiskImage;
  /** Of the selector on the ESP. */
  selectorSha256: string;
  /** `remembered` by an earlier run that was interrupted; null when there was none, or it is lost. */
  run(disk: RecordingDisk, remembered: unknown): Promise<void>;
  /** Which of the two states this is; undefined for neither. */
  outcome(verdict: Verdict, table: GptTable): 'old' | 'new' | undefined;
}

export interface MatrixRow {
  step: string;
  scope: Scope;
  /** Points at which the power was cut, and ways in which writes were lost. */
  cuts: number;
  /** Different disks that they left. */
  disks: number;
  old: number;
  new: number;
  /** Disks with leftovers, which the next run took away. */
  leftovers: number;
}

export interface CheckedDisk {
  image: DiskImage;
  verdict: Verdict;
}

/** Throws AssertionError at the first disk that is not all right. `onDisk` sees every different one. */
export async function runMatrix(
  scenario: Scenario,
  options: {sampling: CutSampling; seed: number; onDisk?: (disk: CheckedDisk) => Promise<void>},
): Promise<MatrixRow[]> {
  const recorder = new RecordingDisk(scenario.start.clone());
  await scenario.run(recorder, null);
  const rows = new Map<string, MatrixRow>();
  const known = new Map<string, {outcome: 'old' | 'new'; hasLeftovers: boolean}>();
  const tried = new Map<string, Set<unknown>>();
  for (const {step, scope, kind, image, remembered} of powerCuts(
    scenario.start,
    recorder.log,
    options.sampling,
    options.seed,
  )) {
    const name = `${step} ${scope}`;
    const row = rows.get(name) ?? {step, scope, cuts: 0, disks: 0, old: 0, new: 0, leftovers: 0};
    rows.set(name, row);
    row.cuts += 1;
    const key = image.key;
    const what = `${scenario.name}: power cut in ${step} (${scope}), ${kind}`;
    const before = tried.get(key) ?? new Set();
    tried.set(key, before);
    // What an update remembers of its progress may be lost as well.
    for (const each of kind === 'between writes' ? [remembered, null] : [remembered]) {
      if (before.has(each)) continue;
      before.add(each);
      await requireAgain(scenario, image, each, what);
    }
    if (known.has(key)) continue;
    const {verdict, outcome} = await check(scenario, image, what);
    known.set(key, {outcome, hasLeftovers: verdict.leftovers.length > 0});
    row.disks += 1;
    row[outcome] += 1;
    if (verdict.leftovers.length > 0) row.leftovers += 1;
    await options.onDisk?.({image, verdict});
  }
  return [...rows.values()];
}

async function check(
  scenario: Scenario,
  image: DiskImage,
  what: string,
): Promise<{verdict: Verdict; outcome: 'old' | 'new'}> {
  const verdict = await judge(image, scenario.selectorSha256);
  assert.deepEqual(verdict.faults, [], what);
  const {table} = await new RecordingDisk(image).useTable('read', readGpt);
  const outcome = scenario.outcome(verdict, table);
  assert.ok(outcome !== undefined, `${what}: starts ${verdict.letter} with ${verdict.version}`);
  return {verdict, outcome};
}

/** The same operation on what the power cut has left: it succeeds, and leaves nothing behind. */
async function requireAgain(
  scenario: Scenario,
  image: DiskImage,
  remembered: unknown,
  what: string,
): Promise<void> {
  const disk = new RecordingDisk(image.clone());
  await scenario.run(disk, remembered);
  const {verdict, outcome} = await check(scenario, disk.image, `${what}, and again`);
  assert.equal(outcome, 'new', `${what}, and again`);
  assert.deepEqual(verdict.leftovers, [], `${what}, and again`);
  const {agree} = await disk.useTable('read', readGpt);
  assert.ok(agree, `${what}, and again: the tables agree`);
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** A table in Markdown, as docs/update-crash-matrix.md has it. */
export function formatMatrix(rows: readonly MatrixRow[]): string {
  const cells = [
    ['step', 'written to', 'power cuts', 'different disks', 'starts old', 'starts new', 'with leftovers'],
    ...rows.map((row) => [
      `\`${row.step}\``,
      row.scope === 'table' ? 'partition table' : row.scope === 'esp' ? 'ESP' : `USR-${row.scope}`,
      ...[row.cuts, row.disks, row.old, row.new, row.leftovers].map(String),
    ]),
  ];
  const widths =
    cells[0]?.map((_, column) => Math.max(...cells.map((line) => line[column]?.length ?? 0))) ?? [];
  const format = (line: readonly string[]): string =>
    `| ${line.map((cell, at) => (at < 2 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0))).join(' | ')} |`;
  const rule = `| ${widths.map((width, at) => (at < 2 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`)).join(' | ')} |`;
  return [format(cells[0] ?? []), rule, ...cells.slice(1).map(format)].join('\n');
}
