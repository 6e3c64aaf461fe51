/** Every npm package that we build or test with may be used by anyone for anything, on terms that need no lawyer. */
import assert from 'node:assert/strict';
import {readFile} from 'node:fs/promises';
import {join} from 'node:path';
import {describe, it} from 'node:test';
import {pathExists} from '../../platform/files.ts';
import {ROOT_DIR} from '../support/sources.ts';

/** SPDX identifiers. */
const ALLOWED = new Set([
  '0BSD',
  'Apache-2.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'BlueOak-1.0.0',
  'CC0-1.0',
  'ISC',
  'MIT',
  'MIT-0',
  'Python-2.0',
  'Unlicense',
]);

interface LockedEntry {
  version: string;
  license?: string;
  optional?: boolean;
}

/** An SPDX expression of names, AND, OR and parentheses; a name that is not one is not allowed. */
function isAllowed(expression: string): boolean {
  const tokens = expression.match(/[()]|[^\s()]+/g) ?? [];
  let at = 0;
  const either = (): boolean => {
    let verdict = both();
    while (tokens[at]?.toUpperCase() === 'OR') {
      at += 1;
      // Both sides are read in any case.
      const other = both();
      verdict ||= other;
    }
    return verdict;
  };
  const both = (): boolean => {
    let verdict = one();
    while (tokens[at]?.toUpperCase() === 'AND') {
      at += 1;
      const other = one();
      verdict &&= other;
    }
    return verdict;
  };
  const one = (): boolean => {
    const token = tokens[at] ?? '';
    at += 1;
    if (token !== '(') return ALLOWED.has(token);
    const verdict = either();
    at += 1;
    return verdict && tokens[at - 1] === ')';
  };
  return either() && at === tokens.length;
}

const lock = JSON.parse(await readFile(join(ROOT_DIR, 'package-lock.json'), 'utf8')) as {
  packages: Record<string, LockedEntry>;
};
const packages = Object.entries(lock.packages).filter(([path]) => path !== '');

/** What the package itself says; old ones in one of two forms that are no SPDX expression. */
async function licenceInstalled(path: string): Promise<string | undefined> {
  const file = join(ROOT_DIR, path, 'package.json');
  // Packages for other processors and systems are in the lock, but not here.
  if (!(await pathExists(file))) return undefined;
  const {license, licenses} = JSON.parse(await readFile(file, 'utf8')) as {
    license?: string | {type?: string};
    licenses?: {type?: string}[];
  };
  if (typeof license === 'string') return license;
  return license?.type ?? licenses?.map(({type}) => type ?? '?').join(' OR ') ?? 'none';
}

describe('licences', () => {
  it('of all packages in package-lock.json are allowed', () => {
    assert.ok(packages.length > 50);
    const refused = packages
      .filter(([, {license}]) => !isAllowed(license ?? 'none'))
      .map(([path, {version, license}]) => `${path} ${version}: ${license ?? 'none'}`);
    assert.deepEqual(refused, []);
  });

  it('are the same in the packages that are installed', async () => {
    const refused: string[] = [];
    let installed = 0;
    for (const [path] of packages) {
      const licence = await licenceInstalled(path);
      if (licence === undefined) continue;
      installed += 1;
      if (!isAllowed(licence)) refused.push(`${path}: ${licence}`);
    }
    assert.deepEqual(refused, []);
    assert.ok(installed > 50, `only ${installed} packages are installed (hint: npm ci)`);
  });

  it('are read as SPDX has them', () => {
    for (const expression of [
      'MIT',
      '(MIT OR GPL-3.0)',
      'GPL-2.0 OR (ISC AND MIT)',
      '(BSD-3-Clause OR GPL-2.0)',
    ])
      assert.equal(isAllowed(expression), true, expression);
    const bad = [
      '',
      'none',
      'GPL-3.0',
      'MIT AND GPL-3.0',
      'UNLICENSED',
      'SEE LICENSE IN x',
      '(MIT',
      'MIT)',
      'MIT ISC',
    ];
    for (const expression of bad) assert.equal(isAllowed(expression), false, expression);
  });
});
