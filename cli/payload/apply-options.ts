/** What `caisson payload verify` and `extract` share: both do with a payload what a host does. */
import type {Argv} from 'yargs';
import type {AppliedPayload} from '../../update-engine/apply/apply.ts';
import type {PayloadFileOptions} from '../../update-engine/apply/files.ts';
import {summarizePartition} from '../../formats/payload/summary.ts';
import {formatBytes} from '../../formats/units.ts';
import {terminalLog} from '../terminal.ts';
import {JSON_OPTION, publicKeysOrDefault} from './options.ts';

export interface ApplyArguments {
  file: string;
  key: string[];
  'old-usr'?: string;
  'old-kernel'?: string;
  json: boolean;
}

const APPLY_OPTIONS = {
  key: {
    type: 'string',
    array: true,
    default: [] as string[],
    defaultDescription: 'keys/*.pub.pem',
    describe: 'Public key in PEM that is trusted; one of them must have signed',
  },
  'old-usr': {type: 'string', describe: 'For a delta: usr.img of the release that it builds on'},
  'old-kernel': {type: 'string', describe: 'For a delta: uki.efi of that release'},
} as const;

/** What verify and extract take besides an option of their own. */
export function withApplyOptions(yargs: Argv<object>): Argv<ApplyArguments> {
  return yargs
    .positional('file', {type: 'string', demandOption: true, describe: 'A payload'})
    .options(APPLY_OPTIONS)
    .option('json', JSON_OPTION);
}

/** Prints what was applied: `facts` and the partitions as JSON, or `lines` and the partitions as text. */
export function printApplied(
  applied: AppliedPayload,
  {json}: ApplyArguments,
  facts: Readonly<Record<string, unknown>>,
  lines: readonly string[],
): void {
  const text = json
    ? JSON.stringify({...facts, ...describeApplied(applied)}, undefined, 2)
    : [...lines, ...appliedText(applied)].join('\n');
  process.stdout.write(`${text}\n`);
}

/** Runs `work` as a step that shows how much of the payload was read. */
export async function withPayloadFile<T extends AppliedPayload>(
  title: string,
  {file, key, ...old}: ApplyArguments,
  signal: AbortSignal,
  work: (options: PayloadFileOptions) => Promise<T>,
): Promise<T> {
  const keys = (await publicKeysOrDefault(key)).map((each) => each.key);
  const [usr, kernel] = [old['old-usr'], old['old-kernel']];
  return terminalLog(false).step(title, (progress) =>
    work({
      ...{path: file, keys, signal},
      old: {...(usr === undefined ? {} : {usr}), ...(kernel === undefined ? {} : {kernel})},
      onProgress: ({bytes, totalBytes}) => {
        progress.update(bytes, totalBytes);
      },
    }),
  );
}

function describeApplied({manifest, metadataSha256}: AppliedPayload): {
  metadataSha256: string;
  partitions: {name: string; version: string | null; bytes: number; sha256: string}[];
} {
  const partitions = manifest.partitions.map(summarizePartition);
  return {
    metadataSha256,
    partitions: partitions.map(({name, version, bytes, sha256}) => ({name, version, bytes, sha256})),
  };
}

function appliedText(applied: AppliedPayload): string[] {
  return describeApplied(applied).partitions.map(
    ({name, version, bytes, sha256}) =>
      `  ${name}: ${version ?? 'no version'}, ${formatBytes(bytes)}, SHA-256 ${sha256}`,
  );
}
