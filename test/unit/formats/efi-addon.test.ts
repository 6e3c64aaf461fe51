import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {MAX_ARGUMENTS_BYTES, encodeKernelAddon} from '../../../formats/efi-addon.ts';
import {decodePeSections} from '../../../formats/pe.ts';

describe('encodeKernelAddon', () => {
  it('makes a PE file whose .cmdline holds the words', () => {
    const file = Buffer.from(encodeKernelAddon(['console=hvc0', 'systemd.unit=rescue.target']));
    const sections = decodePeSections(file, file.length);
    assert.deepEqual(
      sections.map(({name}) => name),
      ['.text', '.cmdline'],
    );
    const {offset, bytes} = sections[1] ?? {offset: 0, bytes: 0};
    assert.equal(file.toString('latin1', offset, offset + bytes), 'console=hvc0 systemd.unit=rescue.target');
    assert.equal(file.length % 512, 0);
  });

  it('refuses what the release decides, and what is no word', () => {
    for (const word of [
      'usrhash=aa',
      'systemd.verity_usr_data=/dev/vda',
      'mount.usr=/dev/vda',
      'init=/bin/sh',
      'a b',
      'ä',
      '',
    ])
      assert.throws(() => encodeKernelAddon([word]), {code: 'bad-argument'}, word);
    assert.throws(() => encodeKernelAddon([]), {code: 'bad-argument'});
    assert.throws(() => encodeKernelAddon(['a'.repeat(MAX_ARGUMENTS_BYTES + 1)]), {code: 'too-long'});
  });
});
