import assert from 'node:assert/strict';
import {getEventListeners} from 'node:events';
import {describe, it} from 'node:test';
import {type Extent, PayloadError} from '../../../../formats/payload/types.ts';
import {decodeProgress} from '../../../../update-engine/apply/progress.ts';
import {apply, memoryProgress, streamOf} from '../../../support/apply.ts';
import {type MemoryTarget, memoryTarget} from '../../../support/memory-target.ts';
import {extent} from '../../../support/payload-sample.ts';
import {type BuiltPayload, OTHER_KEY, TEST_KEY, buildPayload} from '../../../support/payload.ts';

const BLOCK = 4096;

function block(letter: string): Buffer {
  return Buffer.alloc(BLOCK, letter);
}

/** Six operations in no order, none of which needs a program. */
const USR = Buffer.concat([
  block('a'),
  Buffer.alloc(BLOCK),
  block('b'),
  block('c'),
  Buffer.alloc(2 * BLOCK),
  block('d'),
]);
const KERNEL = Buffer.concat([Buffer.from('kernel'), Buffer.alloc(BLOCK - 6)]);
const replace = (letter: string, dst: readonly Extent[]) => ({
  type: 'REPLACE' as const,
  blob: block(letter),
  dst,
});
const PARTITIONS = [
  {
    name: 'usr',
    content: USR,
    operations: [
      replace('d', [extent(6, 1)]),
      {type: 'ZERO' as const, dst: [extent(1, 1), extent(4, 1)]},
      {
        type: 'REPLACE' as const,
        blob: Buffer.concat([block('c'), block('a')]),
        dst: [extent(3, 1), extent(0, 1)],
      },
      replace('b', [extent(2, 1)]),
      {type: 'DISCARD' as const, dst: [extent(5, 1)]},
    ],
  },
  {
    name: 'kernel',
    content: KERNEL,
    operations: [{type: 'REPLACE' as const, blob: Buffer.from('kernel'), dst: [extent(0, 1)]}],
  },
];
const OPERATIONS = 6;
const PAYLOAD: BuiltPayload = buildPayload(PARTITIONS);
const EXPECTED = {bytes: PAYLOAD.bytes.length, sha256: PAYLOAD.sha256};

function freshTargets(): {usr: MemoryTarget; kernel: MemoryTarget} {
  return {usr: memoryTarget(USR.length), kernel: memoryTarget(KERNEL.length)};
}

function assertApplied({usr, kernel}: {usr: MemoryTarget; kernel: MemoryTarget}): void {
  assert.ok(usr.content().equals(USR), 'usr');
  assert.ok(kernel.content().equals(KERNEL), 'kernel');
}

function assertUntouched({usr, kernel}: {usr: MemoryTarget; kernel: MemoryTarget}): void {
  assert.deepEqual([usr.writes, kernel.writes], [0, 0]);
}

describe('applyPayload', () => {
  it('writes what the manifest says, whatever the pieces of the stream', async () => {
    for (const piece of [1, 7, 4096, 1 << 20]) {
      const targets = freshTargets();
      await apply(PAYLOAD.bytes, targets, {open: streamOf(PAYLOAD.bytes, {piece}), expected: EXPECTED});
      assertApplied(targets);
    }
  });

  it('tells how far it is', async () => {
    const seen: {bytes: number; totalBytes: number; writtenBytes: number}[] = [];
    await apply(PAYLOAD.bytes, freshTargets(), {onProgress: (done) => void seen.push(done)});
    const totalBytes = PAYLOAD.bytes.length;
    assert.deepEqual(seen.at(-1), {bytes: totalBytes, totalBytes, writtenBytes: USR.length + KERNEL.length});
    assert.ok(seen.every(({bytes}, index) => index === 0 || bytes >= (seen[index - 1]?.bytes ?? 0)));
  });

  it('asks whether the payload is wanted once it is trusted, and writes nothing when it is not', async () => {
    const targets = freshTargets();
    const refusal = new Error('not wanted');
    const accept = (): never => {
      throw refusal;
    };
    await assert.rejects(apply(PAYLOAD.bytes, targets, {accept}), refusal);
    let asked = 0;
    const count = (): void => void (asked += 1);
    await assert.rejects(apply(PAYLOAD.bytes, targets, {accept: count, trust: [OTHER_KEY.publicKey]}), {
      code: 'untrusted',
    });
    await assert.rejects(apply(PAYLOAD.bytes, targets, {accept: count, trust: []}), {code: 'untrusted'});
    assert.equal(asked, 0);
    assertUntouched(targets);
  });

  it('trusts any one of the keys', async () => {
    const both = buildPayload(PARTITIONS, {keys: [OTHER_KEY.privateKey, TEST_KEY.privateKey]});
    for (const trust of [[TEST_KEY.publicKey], [OTHER_KEY.publicKey]]) {
      const targets = freshTargets();
      await apply(both.bytes, targets, {trust});
      assertApplied(targets);
    }
  });

  const small = {...freshTargets(), usr: memoryTarget(USR.length - BLOCK)};
  for (const [what, targets] of [
    ['has too little room for a partition', small],
    ['has no place for a partition', {usr: memoryTarget(USR.length)}],
  ] as const)
    it(`writes nothing when the host ${what}`, async () => {
      await assert.rejects(apply(PAYLOAD.bytes, targets), {code: 'unsupported'});
      assert.ok(Object.values(targets).every(({writes}) => writes === 0));
    });

  it('refuses another length than was announced before it writes', async () => {
    const targets = freshTargets();
    const expected = {...EXPECTED, bytes: EXPECTED.bytes + 1};
    await assert.rejects(apply(PAYLOAD.bytes, targets, {expected}), {code: 'bad-data'});
    assertUntouched(targets);
  });

  it('refuses another file than was announced', async () => {
    const expected = {...EXPECTED, sha256: Buffer.alloc(32)};
    await assert.rejects(apply(PAYLOAD.bytes, freshTargets(), {expected}), {code: 'wrong-hash'});
  });

  it('refuses a byte too many and a stream without an end', async () => {
    const longer = Buffer.concat([PAYLOAD.bytes, Buffer.alloc(1)]);
    await assert.rejects(apply(longer, freshTargets()), {code: 'bad-data'});
    async function* endless(offset: number): AsyncGenerator<Uint8Array> {
      yield await Promise.resolve(PAYLOAD.bytes.subarray(offset));
      for (;;) yield block('x');
    }
    await assert.rejects(apply(PAYLOAD.bytes, freshTargets(), {open: endless}), {code: 'bad-data'});
  });

  it('refuses a payload that ends anywhere too early', async () => {
    for (let length = 0; length < PAYLOAD.bytes.length; length += 509)
      await assert.rejects(
        apply(PAYLOAD.bytes.subarray(0, length), freshTargets()),
        {code: 'truncated'},
        `${length}`,
      );
  });

  it('writes nothing of a blob with one wrong bit', async () => {
    const targets = freshTargets();
    const bytes = Buffer.from(PAYLOAD.bytes);
    bytes[PAYLOAD.blobsOffset + 100] = (bytes[PAYLOAD.blobsOffset + 100] ?? 0) ^ 1;
    await assert.rejects(apply(bytes, targets), {code: 'wrong-hash'});
    assertUntouched(targets);
  });

  it('refuses partitions that are not what the manifest says, though each blob is', async () => {
    const wrong = buildPayload(PARTITIONS, {
      change: (manifest) => ({
        ...manifest,
        partitions: manifest.partitions.map((each) => ({
          ...each,
          newInfo: {...each.newInfo, sha256: new Uint8Array(32)},
        })),
      }),
    });
    await assert.rejects(apply(wrong.bytes, freshTargets()), {code: 'wrong-hash'});
  });

  it('finds a target that does not keep what was written', async () => {
    const targets = freshTargets();
    const forgetful = {
      ...targets.usr,
      bytes: USR.length,
      readAt: () => Promise.resolve(new Uint8Array(USR.length)),
    };
    await assert.rejects(apply(PAYLOAD.bytes, {...targets, usr: forgetful}), {code: 'wrong-hash'});
  });

  it('passes on what a target throws', async () => {
    const targets = freshTargets();
    const full = Object.assign(new Error('no space'), {code: 'ENOSPC'});
    const broken = {...targets.usr, bytes: USR.length, writeAt: () => Promise.reject(full)};
    await assert.rejects(apply(PAYLOAD.bytes, {...targets, usr: broken}), full);
    const eio = Object.assign(new Error('flush failed'), {code: 'EIO'});
    const unsafe = {...targets.usr, bytes: USR.length, flush: () => Promise.reject(eio)};
    await assert.rejects(apply(PAYLOAD.bytes, {...targets, usr: unsafe}), eio);
  });
});

describe('giving up', () => {
  it('ends a stream that never answers, and leaves no listener', async () => {
    for (const offset of [0, 30, PAYLOAD.blobsOffset, PAYLOAD.blobsOffset + 5000, PAYLOAD.bytes.length - 1]) {
      const controller = new AbortController();
      const reason = new Error('enough');
      async function* stalls(from: number): AsyncGenerator<Uint8Array> {
        if (from < offset) yield PAYLOAD.bytes.subarray(from, offset);
        setImmediate(() => {
          controller.abort(reason);
        });
        await new Promise(() => undefined);
      }
      await assert.rejects(
        apply(PAYLOAD.bytes, freshTargets(), {open: stalls, signal: controller.signal}),
        reason,
      );
      assert.equal(getEventListeners(controller.signal, 'abort').length, 0);
    }
  });

  it('does nothing when it is too late to begin', async () => {
    const reason = new Error('enough');
    const targets = freshTargets();
    await assert.rejects(apply(PAYLOAD.bytes, targets, {signal: AbortSignal.abort(reason)}), reason);
    assertUntouched(targets);
  });
});

describe('going on', () => {
  /** Breaks off after so many bytes of the file. */
  function breaking(at: number, error: Error) {
    return async function* open(offset: number): AsyncGenerator<Uint8Array> {
      if (offset < at) yield PAYLOAD.bytes.subarray(offset, at);
      await Promise.resolve();
      throw error;
    };
  }

  it('passes a broken transfer on, and goes on behind the last operation', async () => {
    const lost = new Error('connection lost');
    for (let at = 0; at < PAYLOAD.bytes.length; at += 613) {
      const [targets, progress] = [freshTargets(), memoryProgress()];
      await assert.rejects(
        apply(PAYLOAD.bytes, targets, {open: breaking(at, lost), progress, expected: EXPECTED}),
        lost,
      );
      // What was not flushed is gone.
      for (const target of Object.values(targets)) target.cutPower();
      const opened: number[] = [];
      await apply(PAYLOAD.bytes, targets, {
        open: streamOf(PAYLOAD.bytes, {opened}),
        progress,
        expected: EXPECTED,
      });
      assertApplied(targets);
      const before = progress.saved.filter(({nextOperation}) => nextOperation < OPERATIONS).at(-1);
      if (before === undefined) continue;
      assert.deepEqual(opened, [0, PAYLOAD.blobsOffset + before.nextDataOffset]);
      assert.ok(before.nextDataOffset > at - PAYLOAD.blobsOffset - 2 * BLOCK - 1);
    }
  });

  it('survives power cuts at any write, again and again', async () => {
    for (let after = 0; after < 12; after += 1) {
      const [targets, progress] = [freshTargets(), memoryProgress()];
      const power = new Error('power');
      let left = after;
      const dying = (target: MemoryTarget) => ({
        ...target,
        bytes: target.bytes,
        async writeAt(offset: number, bytes: Uint8Array) {
          if (left === 0) throw power;
          left -= 1;
          await target.writeAt(offset, bytes);
        },
      });
      const isCut = await apply(
        PAYLOAD.bytes,
        {usr: dying(targets.usr), kernel: dying(targets.kernel)},
        {progress, now: tick()},
      ).then(
        () => false,
        (error: unknown) => error === power,
      );
      for (const [index, target] of Object.values(targets).entries())
        target.cutPower((write) => (write + index + after) % 2 === 0);
      await apply(PAYLOAD.bytes, targets, {progress});
      assertApplied(targets);
      assert.equal(isCut, after < 8, `${after}`);
    }
  });

  it('has nothing left to fetch but the end when all was written', async () => {
    const [targets, progress, opened] = [freshTargets(), memoryProgress(), [] as number[]];
    await apply(PAYLOAD.bytes, targets, {progress});
    const writes = targets.usr.writes;
    await apply(PAYLOAD.bytes, targets, {progress, open: streamOf(PAYLOAD.bytes, {opened})});
    assert.deepEqual(opened, [0, PAYLOAD.blobsOffset + PAYLOAD.manifest.signaturesOffset]);
    assert.equal(targets.usr.writes, writes);
  });

  it('begins again by itself when what an earlier run left is not what it said', async () => {
    const progress = memoryProgress();
    await apply(PAYLOAD.bytes, freshTargets(), {progress, expected: EXPECTED});
    // Another disk, to which nothing was written.
    const [targets, opened] = [freshTargets(), [] as number[]];
    await apply(PAYLOAD.bytes, targets, {
      progress,
      expected: EXPECTED,
      open: streamOf(PAYLOAD.bytes, {opened}),
    });
    assertApplied(targets);
    assert.equal(opened.at(-1), PAYLOAD.blobsOffset);
  });

  it('takes another, damaged or foreign document for none', async () => {
    const progress = memoryProgress();
    await apply(PAYLOAD.bytes, freshTargets(), {progress, expected: EXPECTED});
    const good = progress.last();
    assert.ok(good !== null);
    assert.deepEqual(decodeProgress(JSON.parse(JSON.stringify(good))), good);
    const other = buildPayload(PARTITIONS, {maxTimestamp: 7});
    const otherProgress = memoryProgress();
    await apply(other.bytes, freshTargets(), {progress: otherProgress});
    const wrong: unknown[] = [
      undefined,
      7,
      {},
      {...good, version: 2},
      {...good, nextOperation: 3},
      {...good, nextDataOffset: 1},
      {...good, signedHash: `A${good.signedHash.slice(1)}`},
      {...good, sum: '0'.repeat(64)},
      otherProgress.last(),
    ];
    for (const document of wrong) {
      const [targets, opened] = [freshTargets(), [] as number[]];
      const load = (): Promise<unknown> => Promise.resolve(document);
      await apply(PAYLOAD.bytes, targets, {
        progress: {load, save: () => Promise.resolve()},
        open: streamOf(PAYLOAD.bytes, {opened}),
      });
      assertApplied(targets);
      assert.deepEqual(opened, [0, PAYLOAD.blobsOffset]);
    }
  });

  it('does not remember a payload that is wrong as a whole', async () => {
    const progress = memoryProgress();
    const expected = {...EXPECTED, sha256: Buffer.alloc(32)};
    await assert.rejects(apply(PAYLOAD.bytes, freshTargets(), {progress, expected}), PayloadError);
    assert.equal(progress.last()?.nextOperation, 0);
  });

  it('saves progress as time goes by, each time behind a flush', async () => {
    const [targets, progress] = [freshTargets(), memoryProgress()];
    const save = async (document: Parameters<typeof progress.save>[0]): Promise<void> => {
      assert.ok(targets.usr.flushes > progress.saved.length);
      await progress.save(document);
    };
    await apply(PAYLOAD.bytes, targets, {progress: {load: () => progress.load(), save}, now: tick()});
    assert.ok(progress.saved.length > 2);
    const steps = progress.saved.map(({nextOperation}) => nextOperation);
    assert.deepEqual(
      steps,
      [...steps].sort((a, b) => a - b),
    );
    assert.equal(steps.at(-1), OPERATIONS);
  });
});

/** A clock by which everything takes long. */
function tick(): () => number {
  let now = 0;
  return () => (now += 10_000);
}
