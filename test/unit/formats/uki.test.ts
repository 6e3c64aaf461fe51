import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {sourceOf} from '../../../formats/byte-source.ts';
import {UkiError, readUki, usrOfCommandLine} from '../../../formats/uki.ts';
import {kernelCommandLine} from '../../../image/command-line.ts';
import {peFile, ukiFile} from '../../support/uki-file.ts';

const ROOT_HASH = '0123456789abcdef'.repeat(4);

async function rejects(code: string, file: Buffer, pattern: RegExp): Promise<void> {
  await assert.rejects(
    readUki(sourceOf(file)),
    (error) => error instanceof UkiError && error.code === code && pattern.test(error.message),
  );
}

describe('readUki', () => {
  it('reads what the file says of itself', async () => {
    const uki = await readUki(sourceOf(ukiFile({commandLine: 'quiet\0', version: '3.1.4'})));
    assert.equal(uki.osRelease.get('VERSION_ID'), '3.1.4');
    assert.equal(uki.kernelRelease, '6.12.0-test');
    assert.equal(uki.commandLine, 'quiet');
    assert.equal(uki.sections.find(({name}) => name === '.initrd')?.bytes, 6);
  });

  it('refuses files without the parts of a UKI, or with one twice', async () => {
    const parts = ['.linux', '.initrd', '.osrel', '.cmdline', '.uname'].map((name) => [name, 'x'] as const);
    for (const [name] of parts) {
      const others = parts.filter(([other]) => other !== name);
      await rejects('missing-section', peFile(others), new RegExp(`no ${name} section`));
      await rejects('missing-section', peFile([...others, [name, '']]), /no/);
    }
    await rejects('bad-section', peFile([...parts, ['.linux', 'y']]), /more than one \.linux/);
  });

  it('refuses text that is too long or has a NUL within', async () => {
    await rejects('bad-section', ukiFile({commandLine: 'x'.repeat(65_537)}), /65537 bytes/);
    await rejects('bad-section', ukiFile({commandLine: 'a\0b'}), /NUL/);
  });
});

describe('usrOfCommandLine', () => {
  it('reads back what the build writes', () => {
    const facts = {rootHash: ROOT_HASH, hashOffset: 821_899_264};
    assert.deepEqual(usrOfCommandLine(kernelCommandLine(['quiet', 'rw'], facts)), facts);
  });

  it('refuses lines without a hash or without an offset', () => {
    const options = 'systemd.verity_usr_options=hash-offset=4096';
    const bad = ['', `usrhash=${ROOT_HASH}`, options, `usrhash=${ROOT_HASH}0 ${options}`];
    bad.push(
      `usrhash=${ROOT_HASH} ${options} usrhash=${ROOT_HASH}`,
      `usrhash=${ROOT_HASH.toUpperCase()} ${options}`,
    );
    for (const line of [...bad, `xusrhash=${ROOT_HASH} ${options}`, `usrhash=${ROOT_HASH} ${options}x`])
      assert.throws(() => usrOfCommandLine(line), UkiError, line);
    assert.equal(usrOfCommandLine(`a usrhash=${ROOT_HASH} ${options},x b`).hashOffset, 4096);
  });
});
