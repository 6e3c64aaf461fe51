/** readelf (package binutils) reads the same programs and libraries of this machine, and a note made by its compiler. */
import assert from 'node:assert/strict';
import {mkdtemp, readdir, readFile, realpath, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {describe, it} from 'node:test';
import {isElf, parseElf} from '../../formats/elf.ts';
import {exec} from '../../platform/exec.ts';
import {skipWithout} from '../support/tool.ts';

/** Taken from each folder in order of name: enough for variety, few enough for a quick run. */
const FILES_PER_FOLDER = 60;
const FOLDERS = ['/usr/bin', '/usr/sbin', '/usr/lib/x86_64-linux-gnu', '/usr/lib/systemd', '/usr/lib64'];

async function sampleFiles(): Promise<string[]> {
  const files = new Set<string>([await realpath(process.execPath)]);
  for (const folder of FOLDERS) {
    const names = await readdir(folder).catch(() => []);
    let count = 0;
    for (const name of names.sort()) {
      const path = await realpath(join(folder, name)).catch(() => undefined);
      if (path === undefined || files.has(path) || count === FILES_PER_FOLDER) continue;
      const start = await readFile(path).catch(() => undefined);
      if (start === undefined || !isElf(start) || start[4] !== 2) continue;
      files.add(path);
      count += 1;
    }
  }
  return [...files];
}

function allMatches(text: string, pattern: RegExp): string[] {
  return [...text.matchAll(pattern)].map((match) => match[1] ?? '');
}

describe('readelf', {skip: await skipWithout(['readelf'], 'binutils')}, () => {
  it('agrees about every sampled file', async () => {
    const files = await sampleFiles();
    assert.ok(files.length > 10, `only ${files.length} files found`);
    for (const path of files) {
      const {stdout} = await exec(['readelf', '-W', '-d', '-l', path], {env: {LC_ALL: 'C'}});
      const ours = parseElf(await readFile(path));
      const paths = (tag: string): string[] =>
        allMatches(stdout, new RegExp(`\\(${tag}\\).*\\[(.*)\\]`, 'g')).flatMap((one) => one.split(':'));
      assert.deepEqual(
        {
          interpreter: ours.interpreter,
          needed: ours.needed,
          soname: ours.soname,
          runpath: ours.runpath,
          rpath: ours.rpath,
        },
        {
          interpreter: allMatches(stdout, /interpreter: (.*)\]/g)[0],
          needed: allMatches(stdout, /\(NEEDED\).*\[(.*)\]/g),
          soname: allMatches(stdout, /\(SONAME\).*\[(.*)\]/g)[0],
          runpath: paths('RUNPATH'),
          rpath: paths('RPATH'),
        },
        path,
      );
    }
  });
});

describe('gcc', {skip: await skipWithout(['gcc'], 'gcc')}, () => {
  it('embeds a dlopen note that we find', async () => {
    const json = `[{"feature":"zip","description":"Unpack","priority":"required","soname":["libz.so.1"]}]`;
    const source = `
      __attribute__((used, aligned(4), section(".note.dlopen"))) static const struct {
        unsigned name_bytes, data_bytes, type;
        char name[4];
        char json[${json.length + 1}];
      } dlopen_note = {4, ${json.length + 1}, 0x407c0c0a, "FDO", ${JSON.stringify(json)}};`;
    const folder = await mkdtemp(join(tmpdir(), 'elf-oracle-'));
    try {
      const library = join(folder, 'libnote.so');
      await exec(['gcc', '-shared', '-fPIC', '-Wl,-soname,libnote.so.1', '-xc', '-', '-o', library], {
        stdin: source,
      });
      const file = parseElf(await readFile(library));
      assert.equal(file.soname, 'libnote.so.1');
      assert.deepEqual(file.dlopen, JSON.parse(json));
    } finally {
      await rm(folder, {recursive: true});
    }
  });
});
