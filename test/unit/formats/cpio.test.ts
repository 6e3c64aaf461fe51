import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {CpioError, encodeCpio, type CpioEntry} from '../../../formats/cpio.ts';
import {decodeCpio} from '../../../formats/cpio-reader.ts';
import {damaged, fc, succeedsOrThrows} from '../../support/property.ts';

const SAMPLE: CpioEntry[] = [
  {path: 'usr/bin/true', kind: 'file', mode: 0o755, data: Buffer.from('x')},
  {path: 'bin', kind: 'symlink', target: 'usr/bin'},
  {path: 'dev/console', kind: 'device', mode: 0o600, device: 'char', major: 5, minor: 1},
  {path: 'init', kind: 'file', mode: 0o4755, uid: 3, gid: 4, mtime: 77, data: Buffer.from('hello')},
  {path: 'empty', kind: 'file', mode: 0o644, data: new Uint8Array()},
];

function encode(entries: CpioEntry[], mtime = 0): Buffer {
  return Buffer.concat([...encodeCpio(entries, {mtime})]);
}

function rejects(code: string, action: () => unknown): void {
  assert.throws(action, (error) => error instanceof CpioError && error.code === code);
}

describe('encodeCpio', () => {
  it('writes the documented header of a file', () => {
    const bytes = encode([{path: 'a', kind: 'file', mode: 0o644, data: Buffer.from('xyz')}], 0x10);
    assert.equal(
      bytes.subarray(0, 116).toString('latin1'),
      '070701' + // magic
        '00000001' + // inode
        '000081a4' + // 0100644
        '0000000000000000' + // uid, gid
        '00000001' + // links
        '00000010' + // mtime
        '00000003' + // size
        '00000000000000000000000000000000' + // device and rdevice, major and minor
        '00000002' + // name with its NUL
        '00000000' + // check
        'a\0' +
        'xyz\0',
    );
    assert.equal(bytes.length % 4, 0);
  });

  it('adds parents before children, sorts by bytes and counts inodes', () => {
    const decoded = decodeCpio(encode(SAMPLE));
    assert.deepEqual(
      decoded.map(({path, kind, inode}) => [inode, kind, path]),
      [
        [1, 'symlink', 'bin'],
        [2, 'directory', 'dev'],
        [3, 'device', 'dev/console'],
        [4, 'file', 'empty'],
        [5, 'file', 'init'],
        [6, 'directory', 'usr'],
        [7, 'directory', 'usr/bin'],
        [8, 'file', 'usr/bin/true'],
      ],
    );
  });

  it('does not depend on the order of its input', () => {
    assert.deepEqual(encode([...SAMPLE].reverse()), encode(SAMPLE));
  });

  it('keeps the mode of a parent that is given', () => {
    const entries: CpioEntry[] = [...SAMPLE, {path: 'usr', kind: 'directory', mode: 0o700}];
    assert.equal(decodeCpio(encode(entries)).find(({path}) => path === 'usr')?.mode, 0o700);
  });

  it('streams a file and insists on its size', () => {
    const chunks = (): Uint8Array[] => [Buffer.from('ab'), new Uint8Array(), Buffer.from('cde')];
    const whole: CpioEntry = {path: 'f', kind: 'file', mode: 0o600, data: Buffer.from('abcde')};
    assert.deepEqual(encode([{...whole, data: {size: 5, chunks}}]), encode([whole]));
    rejects('wrong-size', () => encode([{...whole, data: {size: 4, chunks}}]));
    rejects('wrong-size', () => encode([{...whole, data: {size: 6, chunks}}]));
  });

  it('refuses entries that contradict each other', () => {
    const file = (path: string): CpioEntry => ({path, kind: 'file', mode: 0o600, data: new Uint8Array()});
    for (const path of ['', '/a', 'a/', 'a//b', './a', 'a/../b', '.', '..', 'a\0', '\ud800', 'TRAILER!!!']) {
      rejects('bad-path', () => encode([file(path)]));
    }
    rejects('bad-path', () => encode([file('a'.repeat(4096))]));
    rejects('duplicate-path', () => encode([file('a'), file('a')]));
    rejects('bad-parent', () => encode([file('a'), file('a/b')]));
    rejects('bad-parent', () =>
      encode([{path: 'a', kind: 'symlink', mode: 0o777, target: 'b'}, file('a/b/c')]),
    );
    rejects('out-of-range', () => encode([{...file('a'), mode: 0o100644}]));
    rejects('out-of-range', () => encode([{...file('a'), uid: 2 ** 32}]));
    rejects('bad-path', () => encode([{path: 'a', kind: 'symlink', mode: 0o777, target: ''}]));
  });
});

describe('decodeCpio', () => {
  it('reads back what the writer wrote', () => {
    const part = fc.constantFrom('a', 'b', 'c.d', 'ü', '-');
    const path = fc.array(part, {minLength: 1, maxLength: 4}).map((parts) => parts.join('/'));
    const u32 = fc.nat({max: 0xffff_ffff});
    const common = {path, mode: fc.nat({max: 0o7777}), uid: u32, gid: u32, mtime: u32};
    const entry: fc.Arbitrary<CpioEntry> = fc.oneof(
      fc.record({...common, kind: fc.constant('file' as const), data: fc.uint8Array({maxLength: 40})}),
      fc.record({...common, kind: fc.constant('directory' as const)}),
      fc.record({...common, kind: fc.constant('symlink' as const), target: path}),
      fc.record({
        ...common,
        kind: fc.constant('device' as const),
        device: fc.constantFrom('char' as const, 'block' as const),
        major: u32,
        minor: u32,
      }),
    );
    const entries = fc.uniqueArray(entry, {selector: ({path: name}) => name, maxLength: 8});
    fc.assert(
      fc.property(entries, (given) => {
        const isTree = given.every(({path: name}) =>
          given.every(({path: above, kind}) => kind === 'directory' || !name.startsWith(`${above}/`)),
        );
        fc.pre(isTree);
        const decoded = decodeCpio(new Uint8Array(encode(given)));
        for (const one of given) {
          const found = decoded.find(({path: name}) => name === one.path);
          assert.ok(found !== undefined);
          const {inode, links, ...rest} = found;
          assert.ok(inode > 0 && links > 0);
          assert.deepEqual(rest, {...one});
        }
        for (const {path: name} of decoded) {
          assert.ok(given.some((one) => one.path === name || one.path.startsWith(`${name}/`)));
        }
      }),
    );
  });

  it('takes zeros after the trailer and nothing else', () => {
    const bytes = encode(SAMPLE);
    assert.equal(decodeCpio(Buffer.concat([bytes, new Uint8Array(300)])).length, 8);
    rejects('trailing-bytes', () => decodeCpio(Buffer.concat([bytes, Buffer.from('\0\0x')])));
  });

  it('refuses what is cut off, too long or of another kind', () => {
    const bytes = encode(SAMPLE);
    rejects('truncated', () => decodeCpio(bytes.subarray(0, bytes.length - 4)));
    rejects('truncated', () => decodeCpio(new Uint8Array()));
    rejects('too-many', () => decodeCpio(bytes, {maxEntries: 7}));
    rejects('bad-magic', () =>
      decodeCpio(Buffer.from(bytes.toString('latin1').replace('070701', '070702'), 'latin1')),
    );
    const fifo = Buffer.from(bytes.toString('latin1').replace('0000a1ff', '000011ff'), 'latin1');
    rejects('unsupported', () => decodeCpio(fifo));
  });

  it('never fails in another way on damaged bytes', () => {
    fc.assert(
      fc.property(damaged(encode(SAMPLE)), (bytes) => {
        succeedsOrThrows(CpioError, () => decodeCpio(bytes));
      }),
    );
  });
});
