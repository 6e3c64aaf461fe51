/** The promise that applying a payload takes less than 200 MiB, the programs that unpack it included. */
import assert from 'node:assert/strict';
import {execFileSync} from 'node:child_process';
import {randomBytes} from 'node:crypto';
import {mkdtemp, readFile, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {after, describe, it} from 'node:test';
import {bundleProgram} from '../../build/bundle.ts';
import {start} from '../../platform/exec.ts';
import {extent} from '../support/payload-sample.ts';
import {type OperationSpec, TEST_KEY, buildPayload} from '../support/payload.ts';
import {watchMemory} from '../support/process-memory.ts';
import {ROOT_DIR} from '../support/sources.ts';
import {skipWithout} from '../support/tool.ts';

const MIB = 1 << 20;
const LIMIT = 200 * MIB;

describe('applyPayload', {skip: await skipWithout(['xz'], 'xz-utils')}, () => {
  it('stays small, whatever the payload', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'apply-memory-'));
    after(() => rm(folder, {recursive: true}));
    // The largest blobs there may be; streams with the largest dictionary that xz -9 asks for; and a lot from a little.
    const noise = randomBytes(32 * MIB);
    const half = Buffer.concat([noise.subarray(0, 2 * MIB), Buffer.alloc(2 * MIB)]);
    const zeros = Buffer.alloc(128 * MIB);
    const pack = (input: Buffer, ...args: string[]): Buffer =>
      execFileSync('xz', ['-c', ...args], {input, maxBuffer: 64 * MIB});
    const packedHalf = pack(half, '-0', '--lzma2=preset=0,dict=64MiB');
    const packedZeros = pack(zeros, '-0');
    const operations: OperationSpec[] = [];
    const parts: Buffer[] = [];
    let block = 0;
    const add = (type: OperationSpec['type'], blob: Buffer, data: Buffer): void => {
      const blocks = data.length / 4096;
      operations.push({type, blob, dst: [extent(block, blocks)]});
      parts.push(data);
      block += blocks;
    };
    for (let round = 0; round < 2; round += 1) {
      add('REPLACE', noise, noise);
      for (let index = 0; index < 6; index += 1) add('REPLACE_XZ', packedHalf, half);
      add('REPLACE_XZ', packedZeros, zeros);
    }
    const content = Buffer.concat(parts);
    const {bytes} = buildPayload([{name: 'usr', content, operations}]);
    const [payload, key] = [join(folder, 'payload'), join(folder, 'key.pem')];
    await writeFile(payload, bytes);
    await writeFile(key, TEST_KEY.publicKey.export({type: 'spki', format: 'pem'}));
    // As it ships: what runs TypeScript takes tens of MiB itself.
    const program = join(folder, 'apply.mjs');
    await writeFile(program, await bundleProgram(join(ROOT_DIR, 'test/fixtures/apply-payload.ts'), ROOT_DIR));
    const child = start([process.execPath, program, payload, key, folder, String(content.length)]);
    const {ownBytes, allBytes} = await watchMemory(child.pid ?? 0, child.ended);
    await child.finished();
    assert.ok((await readFile(join(folder, 'usr'))).equals(content));
    assert.ok(allBytes > 0 && allBytes < LIMIT, `${ownBytes / MIB} MiB of ${allBytes / MIB} MiB are its own`);
    console.log(`${Math.round(ownBytes / MIB)} MiB, with its programs ${Math.round(allBytes / MIB)} MiB`);
  });
});
