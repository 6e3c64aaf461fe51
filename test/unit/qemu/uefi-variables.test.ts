import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {encodeGuid, parseGuid} from '../../../formats/guid.ts';
import {withBootAddress} from '../../../qemu/uefi-variables.ts';

const HEADER_AT = 72;
const VARIABLES_AT = HEADER_AT + 28;

function emptyStore(bytes = 4096): Buffer {
  const store = Buffer.alloc(bytes, 0xff);
  store.set(encodeGuid(parseGuid('aaf32c78-947b-439a-a180-2e144ec37792')), HEADER_AT);
  return store;
}

/** Name and data, as the firmware reads them one after the other. */
function readVariables(store: Buffer): Map<string, Buffer> {
  const found = new Map<string, Buffer>();
  for (let at = VARIABLES_AT; store.readUInt16LE(at) === 0x55aa;) {
    const [nameBytes, dataBytes] = [store.readUInt32LE(at + 36), store.readUInt32LE(at + 40)];
    const name = store.subarray(at + 60, at + 60 + nameBytes).toString('utf16le');
    found.set(name, store.subarray(at + 60 + nameBytes, at + 60 + nameBytes + dataBytes));
    at = Math.ceil((at + 60 + nameBytes + dataBytes - VARIABLES_AT) / 4) * 4 + VARIABLES_AT;
  }
  return found;
}

describe('withBootAddress', () => {
  it('writes an active entry with the address alone, and tries it first', () => {
    const store = Buffer.from(withBootAddress(emptyStore(), 'http://10.0.2.2:8000/live.efi', 'Name'));
    const variables = readVariables(store);
    assert.deepEqual([...variables.keys()], ['Boot0000\0', 'BootOrder\0']);
    assert.deepEqual(variables.get('BootOrder\0'), Buffer.from([0, 0]));
    const entry = variables.get('Boot0000\0') ?? Buffer.alloc(0);
    assert.equal(entry.readUInt32LE(0), 1);
    assert.equal(entry.subarray(6, 16).toString('utf16le'), 'Name\0');
    const path = entry.subarray(16);
    assert.equal(entry.readUInt16LE(4), path.length);
    assert.equal(path.readUInt16BE(0), 0x0318);
    assert.equal(path.subarray(4, path.readUInt16LE(2)).toString(), 'http://10.0.2.2:8000/live.efi');
    assert.equal(path.subarray(-4).toString('hex'), '7fff0400');
  });

  it('refuses a store that is used, too small, or none', () => {
    const used = withBootAddress(emptyStore(), 'http://a/', 'a');
    for (const store of [used, emptyStore(VARIABLES_AT + 100), Buffer.alloc(4096, 0xff)])
      assert.throws(() => withBootAddress(store, 'http://10.0.2.2/', 'b'), {code: 'bad-spec'});
  });
});
