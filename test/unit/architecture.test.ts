/**
 * The rules of docs/architecture.md that no compiler holds. When one of them is in the way, change it there and here,
 * with a reason; do not work around it.
 */
import assert from 'node:assert/strict';
import {readFile} from 'node:fs/promises';
import {join} from 'node:path';
import {describe, it} from 'node:test';
import {ROOT_DIR, type Source, listFiles, parseSource, readSources} from '../support/sources.ts';

/** Folder to the folders that it may import from, besides itself. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  formats: [],
  platform: ['formats'],
  image: ['formats', 'platform'],
  payload: ['formats', 'platform'],
  coordination: ['formats', 'platform'],
  'update-engine': ['coordination', 'formats', 'platform'],
  server: ['coordination', 'formats', 'platform'],
  qemu: ['formats', 'platform'],
  build: ['image', 'payload', 'formats', 'platform'],
  cli: [
    'build',
    'image',
    'payload',
    'update-engine',
    'server',
    'coordination',
    'qemu',
    'formats',
    'platform',
  ],
  test: [
    'bench',
    'cli',
    'build',
    'image',
    'payload',
    'update-engine',
    'server',
    'coordination',
    'qemu',
    'formats',
    'platform',
  ],
  bench: [
    'cli',
    'build',
    'image',
    'payload',
    'update-engine',
    'server',
    'coordination',
    'qemu',
    'formats',
    'platform',
    'test',
  ],
};

/** Modules of Node that reach out of the process by another way than files. Only platform/ opens them. */
const DOORS = [
  'child_process',
  'cluster',
  'dgram',
  'dns',
  'http',
  'http2',
  'https',
  'inspector',
  'net',
  'repl',
  'tls',
  'worker_threads',
];

/** Files beside platform/ that open a door, and why that is all right. */
const DOOR_KEYS: Readonly<Record<string, {door: string; why: string; holds: (text: string) => boolean}>> = {
  'qemu/qmp.ts': {door: 'net', why: "a machine's control socket", holds: speaksToPathsOnly},
  'qemu/migration.ts': {
    door: 'net',
    why: "a machine's state goes through a socket",
    holds: speaksToPathsOnly,
  },
  'qemu/cluster/jack.ts': {
    door: 'net',
    why: "a machine's network cable is a socket",
    holds: speaksToPathsOnly,
  },
};

/** Modules of Node that a pure codec may use: they compute, and touch neither files, network, clock nor chance. */
const PURE_MODULES = ['node:buffer', 'node:crypto', 'node:string_decoder', 'node:util', 'node:zlib'];

/** Dependencies that nothing imports yet, and what they wait for. */
const DECLARED_AHEAD: Readonly<Record<string, string>> = {
  zx: 'development scripts',
};

/** Used by tools/ts and by the commands of package.json, not by an import. */
const PROGRAMS = ['tsx', 'eslint', 'prettier', 'typescript', 'typescript-eslint'];

const MAX_LINES = 400;

const sources = await readSources();
const folderOf = (path: string): string => path.split('/')[0] ?? '';
const outsideTests = sources.filter(({path}) => folderOf(path) !== 'test');

function speaksToPathsOnly(text: string): boolean {
  return /\b(connect|listen)\(/.test(text) && !/\b(port|host)\b\s*[:,}]/.test(text);
}

/** `undici` of `undici/types`, `@a/b` of `@a/b/c`. */
function packageOf(specifier: string): string {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
}

function isPackage(specifier: string): boolean {
  return !specifier.startsWith('.') && !specifier.startsWith('node:');
}

function requireNone(found: readonly string[]): void {
  assert.deepEqual(found, [], `\n${found.join('\n')}`);
}

describe('parseSource', () => {
  it('sees every form of import', () => {
    const text = [
      "import a from 'a';",
      "import {b, type B} from './b.ts';",
      "import type {C} from '../c.ts';",
      "import {type D, type E} from 'd';",
      "import * as f from 'node:f';",
      "import 'g';",
      "export {h} from './h.ts';",
      "export type {I} from 'i';",
      "const j = await import('j');",
      "let k: import('k').K;",
      'const text = "import l from \'l\';";',
      "// import m from 'm';",
    ].join('\n');
    const {imports} = parseSource('x/y.ts', text);
    assert.deepEqual(
      imports.map(({specifier, file, isType}) => `${specifier} ${file ?? '-'} ${isType ? 'type' : 'value'}`),
      [
        'a - value',
        './b.ts x/b.ts value',
        '../c.ts c.ts type',
        'd - type',
        'node:f - value',
        'g - value',
        './h.ts x/h.ts value',
        'i - type',
        'j - value',
        'k - type',
      ],
    );
    assert.equal(parseSource('x.ts', 'export default 1;').hasDefaultExport, true);
    assert.equal(parseSource('x.ts', 'export default function f() {}').hasDefaultExport, true);
    assert.equal(parseSource('x.ts', 'export const f = 1;').hasDefaultExport, false);
  });
});

describe('imports', () => {
  it('go only where the table of folders lets them', () => {
    requireNone(
      sources.flatMap(({path, imports}) => {
        const folder = folderOf(path);
        const allowed = MAY_IMPORT[folder];
        if (allowed === undefined) return [`${path}: folder ${folder} is not in the table`];
        return imports
          .flatMap(({file}) => (file === undefined ? [] : [folderOf(file)]))
          .filter((target) => target !== folder && !allowed.includes(target))
          .map((target) => `${path} imports from ${target}/`);
      }),
    );
  });

  it('name files that are there, with their ending', () => {
    const known = new Set(sources.map(({path}) => path));
    requireNone(
      sources.flatMap(({path, imports}) =>
        imports
          .filter(({file}) => file !== undefined && !known.has(file))
          .map(({specifier}) => `${path} imports ${specifier}`),
      ),
    );
  });

  it('never run in a circle', () => {
    const importsOf = new Map(
      sources.map(({path, imports}) => [path, imports.flatMap(({file}) => file ?? [])]),
    );
    const done = new Set<string>();
    const circles: string[] = [];
    const visit = (path: string, trail: readonly string[]): void => {
      if (trail.includes(path)) circles.push([...trail.slice(trail.indexOf(path)), path].join(' -> '));
      else if (!done.has(path)) {
        for (const file of importsOf.get(path) ?? []) visit(file, [...trail, path]);
        done.add(path);
      }
    };
    for (const path of importsOf.keys()) visit(path, []);
    requireNone(circles);
  });

  it('bring in each package of others at one place', () => {
    const importers = new Map<string, Set<string>>();
    for (const {path, imports} of outsideTests) {
      for (const {specifier, isType} of imports) {
        if (isType || !isPackage(specifier)) continue;
        const name = packageOf(specifier);
        importers.set(name, (importers.get(name) ?? new Set()).add(path));
      }
    }
    requireNone(
      [...importers]
        .filter(([, paths]) => paths.size > 1)
        .map(([name, paths]) => `${name} is imported by ${[...paths].join(' and ')}`),
    );
  });
});

describe('doors', () => {
  it('are opened by platform/ only', () => {
    requireNone(
      outsideTests
        .filter(({path}) => folderOf(path) !== 'platform')
        .flatMap(({path, imports}) =>
          imports
            .filter(({isType}) => !isType)
            .map(({specifier}) => /^node:([^/]+)/.exec(specifier)?.[1] ?? '')
            .filter((name) => DOORS.includes(name) && DOOR_KEYS[path]?.door !== name)
            .map((name) => `${path} imports node:${name}`),
        ),
    );
  });

  it('have keys that are used, and only for what they were given', () => {
    for (const [path, {door, why, holds}] of Object.entries(DOOR_KEYS)) {
      const source = sources.find((each) => each.path === path);
      assert.ok(source !== undefined, `${path} is gone`);
      const opensIt = source.imports.some(({specifier}) => specifier === `node:${door}`);
      assert.ok(opensIt, `${path} needs no key`);
      assert.ok(holds(source.text), `${path} does more than its key is for: ${why}`);
    }
  });

  it('are named by their full name', () => {
    const builtin = [
      ...DOORS,
      'fs',
      'os',
      'path',
      'crypto',
      'stream',
      'util',
      'url',
      'zlib',
      'events',
      'timers',
    ];
    requireNone(
      sources.flatMap(({path, imports}) =>
        imports
          .filter(({specifier}) => isPackage(specifier) && builtin.includes(packageOf(specifier)))
          .map(({specifier}) => `${path} imports ${specifier} without node:`),
      ),
    );
  });
});

describe('formats/', () => {
  const codecs = sources.filter(({path}) => folderOf(path) === 'formats');

  it('imports no module of Node that does more than compute', () => {
    requireNone(
      codecs.flatMap(({path, imports}) =>
        imports
          .filter(({specifier}) => specifier.startsWith('node:') && !PURE_MODULES.includes(specifier))
          .map(({specifier}) => `${path} imports ${specifier}`),
      ),
    );
  });

  it('asks neither clock, chance, environment nor console', () => {
    const worldly =
      /\b(Date\.now\(|new Date\(\)|Math\.random\(|performance\.|process\.|console\.|randomBytes|randomUUID|fetch\()/;
    requireNone(
      codecs.flatMap(({path, text}) => {
        const found = worldly.exec(withoutComments(text))?.[1];
        return found === undefined ? [] : [`${path} uses ${found}`];
      }),
    );
  });
});

describe('what only entry points do', () => {
  it('is not done elsewhere: printing, exiting, reading argv and environment', () => {
    const entryFolders = ['cli', 'test', 'bench', 'platform'];
    const programs =
      /^(update-engine(\/(cloud-config|ctl|etcd-discovery|health|hooks|ignition|installer))?|server)\/main\.ts$/;
    const entry = /(?<![.\w])(process\.(argv|env|exit|exitCode|stdout|stderr)\b|console\.\w+\()/;
    requireNone(
      sources
        .filter(({path}) => !entryFolders.includes(folderOf(path)) && !programs.test(path))
        .flatMap(({path, text}) => {
          const found = entry.exec(withoutComments(text))?.[1];
          return found === undefined ? [] : [`${path} uses ${found}`];
        }),
    );
  });
});

describe('files', () => {
  it(`end before line ${MAX_LINES}`, async () => {
    const others = (await listFiles()).filter((path) => /\.(c|h|sh)$/.test(path));
    const texts = await Promise.all(
      others.map(async (path) => ({path, text: await readFile(join(ROOT_DIR, path), 'utf8')})),
    );
    requireNone(
      [...sources, ...texts]
        .map(({path, text}) => ({path, lines: text.split('\n').length - 1}))
        .filter(({lines}) => lines > MAX_LINES)
        .map(({path, lines}) => `${path} has ${lines} lines`),
    );
  });

  it('have no default export', () => {
    requireNone(sources.filter(({hasDefaultExport}) => hasDefaultExport).map(({path}) => path));
  });

  it('say at their head what they are for', () => {
    const hasHead = ({text}: Source): boolean => /^(#!.*\n)?\/\*\*[\s\S]*?\w[\s\S]*?\*\//.test(text);
    requireNone(outsideTests.filter((source) => !hasHead(source)).map(({path}) => path));
  });

  it('are named in small letters with hyphens', () => {
    requireNone(sources.map(({path}) => path).filter((path) => !/^[a-z0-9./-]+$/.test(path)));
  });
});

describe('package.json', () => {
  it('names what is imported, and nothing that is not', async () => {
    const manifest = JSON.parse(await readFile(join(ROOT_DIR, 'package.json'), 'utf8')) as {
      dependencies: Record<string, string>;
      devDependencies: Record<string, string>;
    };
    const [runtime, all] = [outsideTests, sources].map((files) => {
      const names = files.flatMap(({imports}) => imports.map(({specifier}) => specifier).filter(isPackage));
      return new Set(names.map(packageOf));
    });
    const {dependencies, devDependencies} = manifest;
    const isIdle = (name: string): boolean =>
      !PROGRAMS.includes(name) &&
      all?.has(name.replace(/^@types\/(?!node$)/, '')) !== true &&
      name !== '@types/node';
    const ahead = (name: string): boolean => name.replace(/^@types\//, '') in DECLARED_AHEAD;
    const declared = [...Object.keys(dependencies), ...Object.keys(devDependencies)];
    requireNone(
      declared.filter((name) => isIdle(name) && !ahead(name)).map((name) => `${name} is never imported`),
    );
    requireNone(
      Object.keys(DECLARED_AHEAD)
        .filter((name) => all?.has(name) === true)
        .map((name) => `${name} is imported by now: take it out of the list`),
    );
    requireNone(
      [...(runtime ?? [])]
        .filter((name) => !(name in dependencies))
        .map((name) => `${name} is no dependency`),
    );
  });
});

/** Comments may name anything. Good enough for code that prettier has laid out. */
function withoutComments(text: string): string {
  return text.replaceAll(/\/\*[\s\S]*?\*\//g, '').replaceAll(/(^|\s)\/\/.*$/gm, '$1');
}
