/**
 * Making a full payload of the newest release: size and seconds, beside zstd -19 and xz -9 of the same /usr image and
 * UKI in one file. All of them use all processors. What a peer packs has the verity tree in it, which a payload leaves to
 * the host; what a payload packs can be taken up again after any 2 MiB.
 */
import {availableParallelism} from 'node:os';
import {mkdir, rm, stat} from 'node:fs/promises';
import {join} from 'node:path';
import {DEFAULT_OUT_DIR} from '../cli/paths.ts';
import {findRelease} from '../cli/releases.ts';
import {fileOfRole} from '../formats/release.ts';
import {makeKeys} from '../payload/dev-keys.ts';
import type {Effort} from '../payload/compress.ts';
import {readPrivateKeys} from '../payload/key-files.ts';
import {makePayload} from '../payload/make.ts';
import {type Argv, exec} from '../platform/exec.ts';
import {silentLog} from '../platform/log.ts';
import {type Figure, measureSeconds} from './figure.ts';

export async function benchPayload(workDir: string, say: (text: string) => void): Promise<Figure[]> {
  const folder = join(workDir, 'payload');
  await mkdir(folder);
  const {directory, release} = await findRelease(DEFAULT_OUT_DIR, undefined);
  const keyOptions = {name: 'bench', bits: 2048, subject: 'bench', days: 1, now: new Date(), force: false};
  const {privateKey} = await makeKeys({folder, ...keyOptions});
  const signing = {kind: 'keys', privateKeys: await readPrivateKeys([privateKey])} as const;
  const jobs = availableParallelism();
  const {signal} = new AbortController();
  const out = join(folder, 'update.payload');
  const made = async (what: string, effort: Effort): Promise<Figure[]> => {
    say(`payload: making a ${what}`);
    const work = {directory, release, out, signing, jobs, effort, signal, log: silentLog};
    const seconds = await measureSeconds(() => makePayload(work));
    return [await sizeOf(what, out), {what: `making a ${what}`, value: seconds, unit: 's'}];
  };
  const figures = [
    ...(await made('full payload', 'small')),
    ...(await made('full payload, --quick', 'quick')),
  ];

  const raw = join(folder, 'raw');
  const images = ['usr', 'uki'].map((role) => join(directory, fileOfRole(release, role)));
  await exec(['cat', '--', ...images], {stdoutFile: raw});
  figures.push(await sizeOf('/usr and UKI as they are', raw));
  const peers: Readonly<Record<string, Argv>> = {
    'zstd -19': ['zstd', '-19', `-T${jobs}`, '-q', '-c', raw],
    'xz -9': ['xz', '-9', `-T${jobs}`, '-c', raw],
  };
  for (const [name, argv] of Object.entries(peers)) {
    say(`payload: ${name}`);
    const packed = join(folder, 'packed');
    const seconds = await measureSeconds(() => exec(argv, {stdoutFile: packed}));
    figures.push(await sizeOf(`both as ${name}`, packed), {
      what: `${name} of both`,
      value: seconds,
      unit: 's',
    });
    await rm(packed);
  }
  return figures;
}

async function sizeOf(what: string, path: string): Promise<Figure> {
  return {what, value: Math.round((await stat(path)).size / 1e5) / 10, unit: 'MB'};
}
