/** A shell sources what we write, and this machine's own file is read as the shell reads it. */
import assert from 'node:assert/strict';
import {readFile} from 'node:fs/promises';
import {describe, it} from 'node:test';
import {decodeOsRelease, encodeOsRelease} from '../../formats/os-release.ts';
import {exec} from '../../platform/exec.ts';
import {skipWithout} from '../support/tool.ts';

const FIELDS = new Map([
  ['ID', 'caisson'],
  ['NAME', 'Caisson Linux'],
  ['PRETTY_NAME', `$HOME \`id\` \\n "quoted" 'single' $(true) \\`],
  ['VERSION', '1.2 (Ü)'],
  ['EMPTY', ''],
]);

async function sourced(text: string, names: readonly string[]): Promise<string[]> {
  const prints = names.map((name) => `printf '%s\\n' "$${name}"`).join('\n');
  const {stdout} = await exec(['sh', '-u'], {stdin: `${text}\n${prints}\n`, env: {LC_ALL: 'C.UTF-8'}});
  return stdout.split('\n').slice(0, -1);
}

describe('sh', {skip: await skipWithout(['sh'], 'dash')}, () => {
  it('finds the values that were written', async () => {
    assert.deepEqual(await sourced(encodeOsRelease(FIELDS), [...FIELDS.keys()]), [...FIELDS.values()]);
  });

  it('finds the same values in the file of this machine', async () => {
    const text = await readFile('/usr/lib/os-release', 'utf8');
    const fields = decodeOsRelease(text);
    assert.deepEqual(await sourced(text, [...fields.keys()]), [...fields.values()]);
  });
});
