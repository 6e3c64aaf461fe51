/**
 * Applying the newest release's payload: seconds and memory, beside `xz -dc | dd` of the same compressed bytes in the same
 * run. dd flushes at its end, as applying does all along; applying also checks every hash on the way, makes the verity
 * tree, drops the page cache and reads both partitions back.
 */
import {mkdir, rm} from 'node:fs/promises';
import {join} from 'node:path';
import {readExactly} from '../formats/byte-source.ts';
import {DEFAULT_OUT_DIR, ROOT_DIR} from '../cli/paths.ts';
import {findRelease} from '../cli/releases.ts';
import {exec, start} from '../platform/exec.ts';
import {pathExists, withByteSource, withFile} from '../platform/files.ts';
import {filterBytes} from '../platform/filter.ts';
import {silentLog} from '../platform/log.ts';
import {makeKeys} from '../payload/dev-keys.ts';
import {readPrivateKeys} from '../payload/key-files.ts';
import {PAYLOAD_FILE, makePayload} from '../payload/make.ts';
import {readMetadata} from '../payload/metadata.ts';
import {signPayload} from '../payload/sign.ts';
import {type MemoryPeak, watchMemory} from '../test/support/process-memory.ts';
import type {Figure} from './figure.ts';

/** The middle one counts. */
const RUNS = 3;
const signal = new AbortController().signal;

export async function benchApply(workDir: string, say: (text: string) => void): Promise<Figure[]> {
  const {payload, publicKey} = await signedPayload(workDir, say);
  const packed = join(workDir, 'packed.xz');
  await writeXzOnly(payload, packed);
  const folder = join(workDir, 'applied');
  const ours: number[] = [];
  const peers: number[] = [];
  let peak: MemoryPeak = {ownBytes: 0, allBytes: 0};
  for (let run = 1; run <= RUNS; run += 1) {
    say(`apply: run ${run} of ${RUNS}`);
    await mkdir(folder);
    const program = join(ROOT_DIR, 'test/fixtures/apply-payload.ts');
    const child = start([join(ROOT_DIR, 'tools/ts'), program, payload, publicKey, folder]);
    let seconds = '';
    child.stdout.on('data', (text: Buffer) => (seconds += text.toString()));
    const seen = await watchMemory(child.pid ?? 0, child.ended);
    await child.finished();
    peak = seen.allBytes > peak.allBytes ? seen : peak;
    ours.push(Number(seconds));
    await rm(folder, {recursive: true});
    const startedAt = performance.now();
    const out = join(workDir, 'unpacked');
    await exec([join(ROOT_DIR, 'bench/unpack.sh'), packed, out]);
    peers.push((performance.now() - startedAt) / 1000);
    await rm(out);
  }
  const [apply, peer] = [middle(ours), middle(peers)];
  return [
    {what: 'apply of a full payload', value: round(apply), unit: 's'},
    {what: 'the same bytes through xz -dc | dd', value: round(peer), unit: 's'},
    {what: 'apply beside xz -dc | dd', value: round(apply / peer), unit: 'times', target: 'about 1'},
    {what: 'memory of apply, node alone', value: megabytes(peak.ownBytes), unit: 'MB'},
    {
      what: 'memory of apply, with its programs',
      value: megabytes(peak.allBytes),
      unit: 'MB',
      target: 'below 210 MB',
    },
  ];
}

/**
 * With a key of its own, because that of the release may be elsewhere. Making one takes minutes, signing seconds; so
 * CAISSON_PAYLOAD may name one to be signed.
 */
async function signedPayload(
  workDir: string,
  say: (text: string) => void,
): Promise<{payload: string; publicKey: string}> {
  const keyOptions = {name: 'bench', bits: 2048, subject: 'bench', days: 1, now: new Date(), force: false};
  const {privateKey, publicKey} = await makeKeys({folder: workDir, ...keyOptions});
  const found = await findRelease(DEFAULT_OUT_DIR, undefined);
  const made = process.env['CAISSON_PAYLOAD'] ?? join(found.directory, PAYLOAD_FILE);
  const payload = join(workDir, 'update.payload');
  const privateKeys = await readPrivateKeys([privateKey]);
  const signing = {kind: 'keys', privateKeys} as const;
  if (await pathExists(made)) await signPayload(made, payload, signing, {signal, onBytes: () => undefined});
  else {
    say('apply: making a payload, which takes minutes');
    await makePayload({...found, out: payload, signing, jobs: 2, signal, log: silentLog});
  }
  return {payload, publicKey};
}

/** The blobs of a payload as one file that `xz` unpacks: its own xz streams as they are, raw and bzip2 ones repacked. */
async function writeXzOnly(payload: string, out: string): Promise<void> {
  await withByteSource(payload, async (source) => {
    const {manifest, layout} = await readMetadata(source, null);
    await withFile(out, 'w', async (file) => {
      for (const {type, data} of manifest.partitions.flatMap(({operations}) => operations)) {
        if (data === null) continue;
        const blob = await readExactly(source, layout.blobsOffset + data.offset, data.bytes, 'blob');
        const raw = type === 'REPLACE_BZ' ? await filterBytes(['bzip2', '-dc'], blob, {signal}) : blob;
        await file.write(type === 'REPLACE_XZ' ? blob : await filterBytes(['xz', '-c'], raw, {signal}));
      }
    });
  });
}

function middle(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}

function megabytes(bytes: number): number {
  return Math.round(bytes / 1e5) / 10;
}
