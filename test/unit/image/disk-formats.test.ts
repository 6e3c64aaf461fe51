import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {
  DiskFormatError,
  convertCommand,
  settledDescriptor,
  settledFooter,
} from '../../../image/disk-formats.ts';

const DIGEST = Buffer.from('fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210', 'hex');

function descriptor(cid: string): Buffer {
  const bytes = Buffer.alloc(1024);
  bytes.write(
    `# Disk DescriptorFile\nversion=1\nCID=${cid}\nparentCID=ffffffff\ncreateType="streamOptimized"\nRW 131072 SPARSE "${cid}.vmdk"\n`,
  );
  return bytes;
}

describe('the descriptor of a VMDK', () => {
  it('gets an identifier of the release in place of chance, whatever its length was', () => {
    const settled = settledDescriptor(descriptor('1a'), DIGEST, 'x');
    assert.deepEqual(settled, settledDescriptor(descriptor('deadbeef'), DIGEST, 'x'));
    assert.match(settled.toString('latin1'), /^CID=7edcba98$/m);
    assert.match(settled.toString('latin1'), /^RW 131072 SPARSE "disk\.vmdk"$/m);
    assert.match(settled.toString('latin1'), /^parentCID=ffffffff$/m);
    assert.equal(settled.length, 1024);
  });

  it('may be settled twice', () => {
    const settled = settledDescriptor(descriptor('1a'), DIGEST, 'x');
    assert.deepEqual(settledDescriptor(settled, DIGEST, 'x'), settled);
  });

  it('is refused without an identifier', () => {
    assert.throws(() => settledDescriptor(Buffer.alloc(512), DIGEST, 'x'), DiskFormatError);
  });
});

describe('the footer of a VHD', () => {
  const footer = Buffer.alloc(512);
  footer.write('conectix');
  footer.fill(0x77, 68, 84);

  it('gets time and identifier of the release, and a checksum that fits', () => {
    const settled = settledFooter(footer, DIGEST, 946_684_800 + 60, 'x');
    assert.equal(settled.readUInt32BE(24), 60);
    assert.equal(settled.toString('hex', 68, 84), DIGEST.toString('hex', 0, 16));
    const sum = settled.reduce((total, byte, at) => (at >= 64 && at < 68 ? total : total + byte), 0);
    assert.equal(settled.readUInt32BE(64), ~sum >>> 0);
  });

  it('is refused when it is none', () => {
    assert.throws(() => settledFooter(Buffer.alloc(512), DIGEST, 0, 'x'), DiskFormatError);
  });
});

describe('the command that converts', () => {
  it('names the form that clouds and hypervisors take', () => {
    assert.deepEqual(convertCommand('vhd', 'a', 'b').slice(0, 10), [
      ...['qemu-img', 'convert', '-m', '1', '-f', 'raw', '-O', 'vpc', '-o', 'subformat=fixed,force_size=on'],
    ]);
  });
});
