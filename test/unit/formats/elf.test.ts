import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {ELF_MACHINES, ElfError, isElf, parseElf} from '../../../formats/elf.ts';
import {damaged, fc, succeedsOrThrows} from '../../support/property.ts';

const BASE = 0x40_0000n;

interface Part {
  type: number;
  align?: number;
  data: Buffer;
}

/** An ELF64 file: header, program headers (one PT_LOAD over everything, then one for each part), then the parts. */
function buildElf(parts: Part[], patch: (bytes: Buffer) => void = () => undefined): Buffer {
  const head = Buffer.alloc(64 + 56 * (parts.length + 1));
  const whole = Buffer.concat([head, ...parts.map(({data}) => data)]);
  whole.write('\x7fELF\x02\x01\x01', 'latin1');
  whole.writeUInt16LE(3, 16);
  whole.writeUInt16LE(ELF_MACHINES.x86_64, 18);
  whole.writeBigUInt64LE(64n, 32);
  whole.writeUInt16LE(56, 54);
  whole.writeUInt16LE(parts.length + 1, 56);
  let offset = head.length;
  [{type: 1, data: whole}, ...parts].forEach(({type, data, align = 4}: Part, index) => {
    const at = 64 + 56 * index;
    const start = data === whole ? 0 : offset;
    whole.writeUInt32LE(type, at);
    whole.writeBigUInt64LE(BigInt(start), at + 8);
    whole.writeBigUInt64LE(BASE + BigInt(start), at + 16);
    whole.writeBigUInt64LE(BigInt(data.length), at + 32);
    whole.writeBigUInt64LE(BigInt(align), at + 48);
    if (data !== whole) offset += data.length;
  });
  patch(whole);
  return whole;
}

function dynamic(...entries: [number, number | bigint][]): Buffer {
  const bytes = Buffer.alloc(16 * (entries.length + 1));
  entries.forEach(([tag, value], index) => {
    bytes.writeBigUInt64LE(BigInt(tag), 16 * index);
    bytes.writeBigUInt64LE(BigInt(value), 16 * index + 8);
  });
  return bytes;
}

function note(name: string, type: number, text: string): Buffer {
  const pad = (bytes: Buffer): Buffer => Buffer.concat([bytes, Buffer.alloc(-bytes.length & 3)]);
  const head = Buffer.alloc(12);
  const [owner, data] = [Buffer.from(`${name}\0`), Buffer.from(`${text}\0`)];
  head.writeUInt32LE(owner.length, 0);
  head.writeUInt32LE(data.length, 4);
  head.writeUInt32LE(type, 8);
  return Buffer.concat([head, pad(owner), pad(data)]);
}

const STRINGS = Buffer.from('\0libc.so.6\0libm.so.6\0libown.so.1\0$ORIGIN/../lib:/opt/lib\0');
const DLOPEN = 0x407c_0c0a;
const NOTES = Buffer.concat([
  note('GNU', 3, 'build id'),
  note(
    'FDO',
    DLOPEN,
    '[{"feature":"x","description":"d","priority":"suggested","soname":["liba.so.1","liba.so.0"]}]',
  ),
  note('FDO', DLOPEN, '[{"soname":["libb.so"],"later":1},{"priority":"required","soname":["libc.so"]}]'),
]);

function sample(patch?: (bytes: Buffer) => void): Buffer {
  // Four headers (the load segment and three parts), then interpreter and strings.
  const stringsAt = BigInt(64 + 56 * 5 + 8);
  return buildElf(
    [
      {type: 3, data: Buffer.from('/lib/ld\0')},
      {type: 0x6474_e551, data: STRINGS},
      {
        type: 2,
        data: dynamic([1, 1], [1, 11], [14, 21], [29, 33], [5, BASE + stringsAt], [10, STRINGS.length]),
      },
      {type: 4, data: NOTES},
    ],
    patch,
  );
}

function rejects(code: string, bytes: Uint8Array): void {
  assert.throws(
    () => parseElf(bytes),
    (error) => error instanceof ElfError && error.code === code,
  );
}

describe('parseElf', () => {
  it('finds interpreter, libraries, search path and dlopen notes', () => {
    assert.deepEqual(parseElf(sample()), {
      machine: 62,
      kind: 'shared',
      interpreter: '/lib/ld',
      soname: 'libown.so.1',
      needed: ['libc.so.6', 'libm.so.6'],
      runpath: ['$ORIGIN/../lib', '/opt/lib'],
      rpath: [],
      dlopen: [
        {feature: 'x', description: 'd', priority: 'suggested', soname: ['liba.so.1', 'liba.so.0']},
        {priority: 'recommended', soname: ['libb.so']},
        {priority: 'required', soname: ['libc.so']},
      ],
    });
  });

  it('takes a file without any program header', () => {
    const object = Buffer.alloc(64);
    sample().copy(object, 0, 0, 64);
    object.writeUInt16LE(1, 16);
    object.writeUInt16LE(0, 56);
    assert.equal(parseElf(object).kind, 'relocatable');
    assert.deepEqual(parseElf(object).needed, []);
  });

  it('walks notes that are padded to eight bytes', () => {
    const property = Buffer.from('040000000500000005000000474e550001020304050000000000000000000000', 'hex');
    assert.deepEqual(parseElf(buildElf([{type: 4, align: 8, data: property.subarray(0, 24)}])).dlopen, []);
  });

  it('refuses other classes, byte orders and types', () => {
    rejects('bad-magic', Buffer.from('#!/bin/sh\n'));
    rejects('bad-magic', new Uint8Array());
    rejects('truncated', sample().subarray(0, 63));
    rejects(
      'unsupported',
      sample((bytes) => (bytes[4] = 1)),
    );
    rejects(
      'unsupported',
      sample((bytes) => (bytes[5] = 2)),
    );
    rejects(
      'unsupported',
      sample((bytes) => bytes.writeUInt16LE(0xfe00, 16)),
    );
    rejects(
      'bad-header',
      sample((bytes) => bytes.writeUInt16LE(32, 54)),
    );
    rejects(
      'too-many',
      sample((bytes) => bytes.writeUInt16LE(0xffff, 56)),
    );
  });

  it('refuses positions outside the file', () => {
    rejects(
      'truncated',
      sample((bytes) => bytes.writeBigUInt64LE(1n << 40n, 32)),
    );
    rejects(
      'bad-header',
      sample((bytes) => bytes.writeBigUInt64LE(1n << 63n, 32)),
    );
    rejects(
      'truncated',
      sample((bytes) => bytes.writeBigUInt64LE(1n << 40n, 64 + 56 + 8)),
    );
    rejects(
      'bad-string',
      sample((bytes) => bytes.write('x', 64 + 56 * 5 + 7)),
    );
    rejects('bad-dynamic', buildElf([{type: 2, data: dynamic([1, 1])}]));
    rejects('bad-dynamic', buildElf([{type: 2, data: dynamic([1, 1]).subarray(0, 16)}]));
    rejects('bad-dynamic', buildElf([{type: 2, data: dynamic([1, 1], [5, 1], [10, 10])}]));
  });

  it('refuses dlopen notes that it cannot read', () => {
    for (const text of [
      '{}',
      'x',
      '[1]',
      '[{"soname":[]}]',
      '[{"soname":"a"}]',
      '[{"soname":["a"],"priority":"vital"}]',
      '[{"soname":["a"],"feature":1}]',
    ]) {
      rejects('bad-note', buildElf([{type: 4, data: note('FDO', DLOPEN, text)}]));
    }
    rejects('bad-note', buildElf([{type: 4, data: NOTES.subarray(0, 30)}]));
    rejects('bad-note', buildElf([{type: 4, data: NOTES.subarray(0, 8)}]));
  });

  it('never fails in another way on damaged bytes', () => {
    fc.assert(
      fc.property(damaged(sample()), (bytes) => {
        succeedsOrThrows(ElfError, () => parseElf(bytes));
      }),
      {numRuns: 500},
    );
  });
});

describe('isElf', () => {
  it('needs the four magic bytes', () => {
    assert.ok(isElf(Buffer.from('\x7fELF', 'latin1')));
    assert.ok(!isElf(Buffer.from('\x7fEL', 'latin1')));
  });
});
