/** objdump (package binutils) reads the same sections from EFI programs; objcopy makes them as it would a UKI. */
import assert from 'node:assert/strict';
import {mkdtemp, readFile, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {after, describe, it} from 'node:test';
import {PE_HEAD_BYTES, decodePeSections} from '../../formats/pe.ts';
import {exec} from '../../platform/exec.ts';
import {skipWithout} from '../support/tool.ts';

const folder = await mkdtemp(join(tmpdir(), 'pe-oracle-'));
after(() => rm(folder, {recursive: true}));

interface Section {
  name: string;
  bytes: number;
  offset: number;
}

async function sectionsOfObjdump(file: string): Promise<Section[]> {
  const {stdout} = await exec(['objdump', '-h', file]);
  const lines = stdout.matchAll(/^ +\d+ (\S+) +([\da-f]{8}) +[\da-f]+ +[\da-f]+ +([\da-f]{8}) /gm);
  return [...lines].map(([, name = '', bytes = '', offset = '']) => {
    return {name, bytes: Number.parseInt(bytes, 16), offset: Number.parseInt(offset, 16)};
  });
}

const skip =
  (await skipWithout(['objdump', 'objcopy', 'ld'], 'binutils')) || (await skipWithout(['gcc'], 'gcc'));

describe('objdump', {skip}, () => {
  it('lists the sections of an EFI program that objcopy put together', async () => {
    const [source, object, elf] = [join(folder, 'a.c'), join(folder, 'a.o'), join(folder, 'a.so')];
    await writeFile(
      source,
      'int start(void) { return 0; }\nconst char text[] = "some text";\nint data = 5;\n',
    );
    await exec([
      'gcc',
      '-ffreestanding',
      '-fpic',
      '-fno-asynchronous-unwind-tables',
      '-c',
      source,
      '-o',
      object,
    ]);
    await exec(['ld', '-nostdlib', '-shared', '-e', 'start', object, '-o', elf]);
    const efi = join(folder, 'a.efi');
    const copied = ['.text', '.rodata', '.data'].flatMap((name) => ['-j', name]);
    const added: string[] = [];
    for (const [index, [name, content]] of Object.entries({
      '.osrel': 'ID=caisson\n',
      '.cmdline': 'quiet splash',
      '.linux': 'k'.repeat(70_001),
    }).entries()) {
      const file = join(folder, `section${index}`);
      await writeFile(file, content);
      const address = `0x${(0x10_0000 * (index + 1)).toString(16)}`;
      added.push('--add-section', `${name}=${file}`, '--set-section-flags', `${name}=data,readonly`);
      added.push('--change-section-vma', `${name}=${address}`);
    }
    await exec(['objcopy', ...copied, ...added, '--target=efi-app-x86_64', elf, efi]);

    const bytes = await readFile(efi);
    const sections = decodePeSections(bytes.subarray(0, PE_HEAD_BYTES), bytes.length);
    const theirs = await sectionsOfObjdump(efi);
    assert.equal(theirs.length >= 6, true);
    assert.deepEqual(
      sections.map(({name, bytes: length, offset}) => ({name, bytes: length, offset})),
      theirs,
    );
    const osRelease = sections.find(({name}) => name === '.osrel');
    const start = osRelease?.offset ?? 0;
    assert.equal(bytes.toString('latin1', start, start + (osRelease?.bytes ?? 0)), 'ID=caisson\n');
  });
});
