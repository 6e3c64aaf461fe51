/**
 * Nothing in the repository may depend on the machine that it was written on: no mirror or registry of it, no path.
 * The names are asked of this machine, so that the test knows none either.
 */
import assert from 'node:assert/strict';
import {readFile} from 'node:fs/promises';
import {homedir, hostname} from 'node:os';
import {join} from 'node:path';
import {describe, it} from 'node:test';
import {parseAptUris} from '../../build/mirror.ts';
import {type Argv, ExecError, exec} from '../../platform/exec.ts';
import {ROOT_DIR, listFiles} from '../support/sources.ts';

/** Directories in which people and build farms check projects out. */
const FOREIGN_PATHS = ['farm', 'root', 'work', 'workspace', 'builds'].map((name) => `/${name}/`);

async function outputOf(argv: Argv): Promise<string> {
  try {
    return (await exec(argv)).stdout;
  } catch (error) {
    // A machine without apt has no mirror to give away.
    if (error instanceof ExecError && error.code === 'not-found') return '';
    throw error;
  }
}

async function hostsOfThisMachine(): Promise<string[]> {
  const registry = (await outputOf(['npm', 'config', 'get', 'registry'])).trim();
  const targets = parseAptUris(await outputOf(['apt-get', 'update', '--print-uris']));
  const proxies = ['http_proxy', 'https_proxy'].flatMap((name) => process.env[name] ?? []);
  const addresses = [registry, ...proxies, ...targets.map(({address}) => address)];
  return [
    ...new Set(addresses.filter((address) => URL.canParse(address)).map((address) => new URL(address).host)),
  ];
}

async function findIn(words: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  for (const path of await listFiles()) {
    const text = await readFile(join(ROOT_DIR, path), 'utf8');
    if (text.includes('\0')) continue;
    for (const [index, line] of text.split('\n').entries()) {
      const word = words.find((each) => line.includes(each));
      if (word !== undefined) found.push(`${path}:${index + 1}: ${word}`);
    }
  }
  return found;
}

describe('the repository', () => {
  it("names no host of this machine's mirrors, registries and proxies", async () => {
    const hosts = await hostsOfThisMachine();
    assert.ok(hosts.length > 0, 'this machine should have at least a package registry');
    assert.deepEqual(await findIn(hosts), []);
  });

  it('names no path of this machine, nor of a build farm', async () => {
    const own = [ROOT_DIR, homedir()].filter((path) => path.split('/').length > 2).map((path) => `${path}/`);
    assert.deepEqual(await findIn([...FOREIGN_PATHS, ...own]), []);
  });

  it('does not name this machine', async () => {
    const name = hostname();
    // A name of a few letters is a word like any other.
    assert.deepEqual(name.length < 8 ? [] : await findIn([name]), []);
  });
});
