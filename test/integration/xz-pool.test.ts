/** xz processes that unpack one blob after the other: each blob's bytes are its own, whatever its neighbours hold. */
import assert from 'node:assert/strict';
import {execFileSync} from 'node:child_process';
import {randomBytes} from 'node:crypto';
import {getEventListeners} from 'node:events';
import {after, describe, it} from 'node:test';
import {unpackedBytesOfXz} from '../../formats/xz.ts';
import {XzPool} from '../../platform/xz-pool.ts';
import {apply} from '../support/apply.ts';
import {memoryTarget} from '../support/memory-target.ts';
import {extent} from '../support/payload-sample.ts';
import {type OperationSpec, buildPayload} from '../support/payload.ts';
import {childPids} from '../support/process-memory.ts';
import {skipWithout} from '../support/tool.ts';
import {XZ_HEADER_BYTES, xzStreamOf} from '../support/xz-stream.ts';

const MIB = 1 << 20;
const BLOCK = 4096;
const XZ_NAMES = ['xz'];

function pack(input: Uint8Array, ...args: string[]): Buffer {
  return execFileSync('xz', ['-0', '-c', '--check=crc32', ...args], {input, maxBuffer: 64 * MIB});
}

/** Without header, index and footer. */
function blocksOf(packed: Buffer): Buffer {
  const indexBytes = (packed.readUInt32LE(packed.length - 8) + 1) * 4;
  return packed.subarray(XZ_HEADER_BYTES, packed.length - indexBytes - XZ_HEADER_BYTES);
}

async function unpack(pool: XzPool, input: Uint8Array, maxBytes: number): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of pool.unpack(input, maxBytes)) pieces.push(Uint8Array.from(piece));
  return Buffer.concat(pieces);
}

describe('XzPool', {skip: await skipWithout(['xz'], 'xz-utils')}, () => {
  const controllers: AbortController[] = [];
  const newPool = (): XzPool => {
    const controller = new AbortController();
    controllers.push(controller);
    return new XzPool(controller.signal);
  };
  after(() => {
    for (const controller of controllers) controller.abort();
  });
  const samples = [0, 1, 8191, 8192, 8193, 100_000, 3 * MIB + 7].map((bytes) =>
    Buffer.concat([randomBytes(Math.ceil(bytes / 2)), Buffer.alloc(Math.floor(bytes / 2))]),
  );

  it('unpacks blob after blob by one process, whatever their lengths', async () => {
    const pool = newPool();
    const pids = new Set<number>();
    for (const data of [...samples, ...samples.toReversed()]) {
      const packed = pack(data);
      assert.equal(unpackedBytesOfXz(packed), data.length);
      assert.ok((await unpack(pool, packed, data.length)).equals(data));
      for (const pid of childPids(XZ_NAMES)) pids.add(pid);
    }
    assert.equal(pids.size, 1);
    await pool.close();
    assert.deepEqual(childPids(XZ_NAMES), []);
  });

  it('unpacks several at once', async () => {
    const pool = newPool();
    await Promise.all(
      samples.map(async (data) => {
        for (let round = 0; round < 4; round += 1)
          assert.ok((await unpack(pool, pack(data), data.length)).equals(data));
      }),
    );
    await pool.close();
    assert.deepEqual(childPids(XZ_NAMES), []);
  });

  it('says that a stream is not what it was said to be, and goes on with the next', async () => {
    const pool = newPool();
    const data = samples.at(-1) ?? Buffer.alloc(0);
    const packed = pack(data);
    const body = blocksOf(packed);
    const saying = (unpacked: number, blocks: Buffer): Buffer =>
      xzStreamOf([{packed: blocks.length, unpacked}], 1, blocks);
    const broken = Buffer.from(body);
    broken.fill(0x55, body.length / 2, body.length / 2 + 20);
    const wrongCheck = Buffer.from(body);
    wrongCheck.fill(0x55, body.length - 4);
    assert.equal(unpackedBytesOfXz(saying(5, body)), 5);
    for (const [input, bytes] of [
      [packed, data.length - 1],
      [saying(data.length - 1, body), data.length],
      [saying(data.length + 1, body), data.length + 1],
      [saying(0, body), data.length],
      [saying(2 * data.length, body), 2 * data.length],
      [saying(data.length, broken), data.length],
      [saying(data.length, wrongCheck), data.length],
      [saying(data.length, Buffer.concat([body, body])), data.length],
      [saying(data.length, Buffer.concat([packed, body])), data.length],
      [packed.subarray(0, packed.length - 4), data.length],
      [Buffer.concat([packed, packed]), 2 * data.length],
      [Buffer.alloc(0), 1],
    ] as const) {
      await assert.rejects(unpack(pool, input, bytes), {code: 'interrupted'});
      assert.ok((await unpack(pool, packed, data.length)).equals(data));
    }
    await pool.close();
  });

  it('does not wait for what a stream that is cut off does not have', async () => {
    const pool = newPool();
    // Stored, packed and both: a piece of each may be cut in the middle.
    const data = Buffer.concat([randomBytes(200_000), Buffer.alloc(100_000, 'text '), randomBytes(1000)]);
    const packed = pack(data);
    const body = blocksOf(packed);
    for (let length = 4; length < body.length; length += 6008) {
      const cut = xzStreamOf([{packed: length, unpacked: data.length}], 1, body.subarray(0, length));
      assert.equal(unpackedBytesOfXz(cut), data.length);
      await assert.rejects(unpack(pool, cut, data.length), {code: 'interrupted'});
    }
    await pool.close();
  });

  it('leaves nothing behind when a loop is left, a process dies, or the caller gives up', async () => {
    const controller = new AbortController();
    const pool = new XzPool(controller.signal);
    const data = samples.at(-1) ?? Buffer.alloc(0);
    const packed = pack(data);
    for await (const piece of pool.unpack(packed, data.length)) {
      assert.ok(piece.length > 0);
      break;
    }
    assert.deepEqual(childPids(XZ_NAMES), []);
    assert.ok((await unpack(pool, packed, data.length)).equals(data));
    for (const pid of childPids(XZ_NAMES)) process.kill(pid, 'SIGKILL');
    await assert.rejects(unpack(pool, packed, data.length), {code: 'interrupted'});
    const reason = new Error('enough');
    await assert.rejects(async () => {
      for await (const piece of pool.unpack(packed, data.length)) {
        assert.ok(piece.length > 0);
        controller.abort(reason);
      }
    }, reason);
    await pool.close();
    assert.deepEqual(childPids(XZ_NAMES), []);
    assert.equal(getEventListeners(controller.signal, 'abort').length, 0);
  });
});

describe('a blob that is signed but wrong', {skip: await skipWithout(['xz'], 'xz-utils')}, () => {
  const parts = Array.from({length: 8}, () =>
    Buffer.concat([randomBytes(20 * BLOCK), Buffer.alloc(4 * BLOCK)]),
  );
  const content = Buffer.concat(parts);
  const payloadWith = (changed: number, change: (part: Buffer) => Buffer): Buffer => {
    const operations = parts.map((part, index): OperationSpec => {
      const blob = index === changed ? change(part) : pack(part);
      return {type: 'REPLACE_XZ', blob, dst: [extent(index * 24, 24)]};
    });
    return buildPayload([{name: 'usr', content, operations}]).bytes;
  };
  const damaged = (part: Buffer): Buffer => {
    const blob = pack(part);
    return blob.fill(0x55, 1000, 1020);
  };
  const cases: Readonly<Record<string, (part: Buffer) => Buffer>> = {
    damaged: damaged,
    'cut off': (part) => pack(part).subarray(0, -4),
    'too long': (part) => pack(Buffer.concat([part, Buffer.alloc(1)])),
    'too short': (part) => pack(part.subarray(0, -BLOCK)),
    'followed by junk': (part) => Buffer.concat([pack(part), Buffer.from('junk')]),
  };
  for (const [name, change] of Object.entries(cases))
    it(`${name} costs an error that names its operation, and none beside it`, async () => {
      for (const changed of [0, 3, 7]) {
        const usr = memoryTarget(content.length);
        await assert.rejects(apply(payloadWith(changed, change), {usr}), {
          code: 'bad-data',
          message: new RegExp(`^usr, operation ${changed}: `),
        });
        assert.deepEqual(childPids(XZ_NAMES), []);
      }
    });

  it('may be made of several streams, with padding', async () => {
    const several = (part: Buffer): Buffer =>
      Buffer.concat([pack(part.subarray(0, 5000)), Buffer.alloc(8), pack(part.subarray(5000))]);
    const usr = memoryTarget(content.length);
    await apply(payloadWith(4, several), {usr});
    assert.ok(usr.content().equals(content));
  });

  it('may be of several blocks', async () => {
    const usr = memoryTarget(content.length);
    await apply(
      payloadWith(2, (part) => pack(part, '--block-size=10000')),
      {usr},
    );
    assert.ok(usr.content().equals(content));
  });
});
