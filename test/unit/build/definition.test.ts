import assert from 'node:assert/strict';
import {readFile} from 'node:fs/promises';
import {join} from 'node:path';
import {describe, it} from 'node:test';
import {
  DefinitionError,
  applySite,
  checkChannel,
  parseDefinition,
  parseSite,
} from '../../../build/definition.ts';
import {readDefinition} from '../../../build/main.ts';
import {fc, succeedsOrThrows} from '../../support/property.ts';

const rootDir = join(import.meta.dirname, '../../..');
const OWN = await readFile(join(rootDir, 'build/os.yaml'), 'utf8');
const base = parseDefinition({path: 'os.yaml', text: OWN});

function refuses(code: string, pattern: RegExp, action: () => unknown): void {
  assert.throws(action, (error) => {
    assert.ok(error instanceof DefinitionError, String(error));
    assert.equal(error.code, code);
    assert.match(`${error.message}\nhint: ${error.hint}`, pattern);
    return true;
  });
}

/** os.yaml with one line in place of another. */
function edited(line: RegExp, replacement: string): () => unknown {
  assert.match(OWN, line);
  return () => parseDefinition({path: 'os.yaml', text: OWN.replace(line, replacement)});
}

const site = (text: string): ReturnType<typeof parseSite> => parseSite({path: 'site.yaml', text});
const lineOf = (line: RegExp): number => OWN.slice(0, line.exec(OWN)?.index).split('\n').length;

describe('parseDefinition', () => {
  it('takes our own file', () => {
    assert.equal(base.id, 'caisson');
    assert.ok(base.packages.include.includes('systemd'));
    assert.equal(base.budgets.usr > 1e8, true);
    assert.deepEqual([base.enable, base.disable], [[], []]);
  });

  it('names the line of an unknown key, and where to read on', () => {
    const line = lineOf(/^kernel:$/m) + 1;
    refuses(
      'bad-definition',
      new RegExp(
        `^os\\.yaml:${line}: kernel\\.package: expected string.*\nos\\.yaml:${line}: kernel\\.pakcage: unknown key`,
      ),
      edited(/^ {2}package: linux/m, '  pakcage: linux'),
    );
    refuses('bad-definition', /hint: docs\/customise\.md/, edited(/^name:/m, 'nmae:'));
  });

  it('lists everything that is wrong, each with its line', () => {
    const text = OWN.replace(/^id: .*$/m, 'id: Not Good').replace(/^channel: .*$/m, 'channel: 7');
    const [id, channel] = [lineOf(/^id:/m), lineOf(/^channel:/m)];
    refuses(
      'bad-definition',
      new RegExp(
        `^os\\.yaml:${id}: id: not an os-release ID\nos\\.yaml:${channel}: channel: expected string`,
      ),
      () => parseDefinition({path: 'os.yaml', text}),
    );
  });

  it('names the line of a list item', () => {
    const line = lineOf(/^ {4}- systemd-sysv$/m);
    refuses(
      'bad-definition',
      new RegExp(`^os\\.yaml:${line}: packages\\.include\\[1\\]: not a Debian package name$`, 'm'),
      edited(/^ {4}- systemd-sysv$/m, '    - "systemd sysv"'),
    );
  });

  it('refuses values that a later step would trip over', () => {
    refuses('bad-definition', /suites/, edited(/^suites: .*$/m, 'suites: []'));
    refuses('bad-definition', /home: not a web address/, edited(/^home: .*$/m, 'home: file:///x'));
    refuses('bad-definition', /name: not a name/, edited(/^name: .*$/m, 'name: "a\\nb"'));
    refuses(
      'bad-definition',
      /drop\[0\]: .*\{ without a \}/,
      edited(/^ {4}- usr\/share\/\{.*$/m, '    - usr/{a,b'),
    );
    refuses('bad-definition', /leading slash/, edited(/^ {4}- usr\/share\/\{.*$/m, '    - /usr/share'));
    refuses('bad-definition', /budgets\.usr: "lots" is not a size/, edited(/^ {2}usr: .*$/m, '  usr: lots'));
    refuses('bad-definition', /budgets\.usr: expected a size/, edited(/^ {2}usr: .*$/m, '  usr: [1]'));
    refuses('bad-definition', /arguments\[0\]: not one/, edited(/- console=tty0$/m, '- console=tty0 quiet'));
  });

  it('keeps the kernel arguments that bind a UKI to its /usr to itself', () => {
    for (const argument of [
      'usrhash=00',
      'systemd.verity_usr_data=/dev/sda',
      'systemd.verity=no',
      'mount.usr=/dev/sda2',
      'mount.usrflags=rw',
      'roothash=00',
    ])
      refuses('bad-definition', /set by the build itself/, edited(/- console=tty0$/m, `- ${argument}`));
    edited(/- console=tty0$/m, '- mount.user=x')();
  });

  it('refuses versions that have no order or no file name', () => {
    for (const version of ['1.0', '01.0.0', 'v1.0.0', '1.0.0+build', '1.0.0-RC1', '1.0.0 ', '', 'latest'])
      refuses(
        'bad-version',
        /os\.yaml: version ".*hint: .*1\.4\.0-rc\.1/s,
        edited(/^version: .*$/m, `version: "${version}"`),
      );
    edited(/^version: .*$/m, 'version: 1.4.0-rc.1')();
  });

  it('refuses YAML that says more than data', () => {
    const parse = (text: string) => () => parseDefinition({path: 'os.yaml', text});
    refuses('bad-yaml', /^os\.yaml: .*at line 1, column 4/s, parse('a: 1\n b: : 2\n'));
    refuses('bad-yaml', /Map keys must be unique/, parse('a: 1\na: 2\n'));
    refuses('bad-yaml', /aliases/, parse('a: &x [1]\nb: *x\n'));
    refuses('bad-yaml', /Unresolved tag/, parse('a: !!js/function "x"\n'));
    refuses('bad-yaml', /multiple documents/, parse('a: 1\n---\nb: 1\n'));
    refuses('bad-definition', /top level/, parse(''));
    refuses('bad-definition', /top level/, parse('- a\n'));
    refuses('bad-definition', /__proto__: unknown key/, parse('__proto__: {name: x}\n'));
  });

  it('never fails in another way', () => {
    const piece = fc.constantFrom(
      'a',
      ':',
      ' ',
      '\n',
      '- ',
      '{',
      '}',
      '[',
      ']',
      '"',
      '&x',
      '*x',
      '!',
      '|',
      '#',
      '0',
    );
    fc.assert(
      fc.property(fc.array(piece), (pieces) =>
        succeedsOrThrows(DefinitionError, () => parseDefinition({path: 'x', text: pieces.join('')})),
      ),
      {numRuns: 300},
    );
  });
});

describe('parseSite and applySite', () => {
  it('lay a site over the definition', () => {
    const made = applySite(
      base,
      site(
        [
          'version: 2.0.0-site.1',
          'channel: lab',
          'packages: {include: [htop], remove: [docker.io]}',
          'paths: {drop: [usr/share/zoneinfo]}',
          'kernel: {arguments: [mitigations=auto]}',
          'enable: [etcd.service]',
          'disable: [sshd-keygen.service]',
        ].join('\n'),
      ),
      'site.yaml',
    );
    assert.equal(made.version, '2.0.0-site.1');
    assert.equal(made.channel, 'lab');
    assert.ok(made.packages.include.includes('htop'));
    assert.ok(!made.packages.include.includes('docker.io'));
    assert.deepEqual(made.paths.drop, [...base.paths.drop, 'usr/share/zoneinfo']);
    assert.equal(made.kernel.arguments.at(-1), 'mitigations=auto');
    assert.deepEqual([made.enable, made.disable], [['etcd.service'], ['sshd-keygen.service']]);
    assert.equal(base.version === made.version, false);
  });

  it('leave everything as it was for a site that says nothing', () => {
    assert.deepEqual(applySite(base, site('{}'), 'site.yaml'), base);
  });

  it('refuse what a site cannot decide, and contradictions', () => {
    refuses('bad-definition', /^site\.yaml:1: tools: unknown key/, () => site('tools: [gcc]'));
    refuses('bad-definition', /^site\.yaml:2: packages\.drop: unknown key/, () =>
      site('packages:\n  drop: [x]'),
    );
    refuses('bad-definition', /enable\[0\]: not the name of a unit/, () => site('enable: [etcd]'));
    refuses('bad-definition', /removes? names nope|packages\.remove names nope/, () =>
      applySite(base, site('packages: {remove: [nope]}'), 'site.yaml'),
    );
    refuses('bad-definition', /x\.service is in enable and in disable/, () =>
      applySite(base, site('enable: [x.service]\ndisable: [x.service]'), 'site.yaml'),
    );
    refuses('bad-version', /site\.yaml: version "1"/, () =>
      applySite(base, site('version: "1"'), 'site.yaml'),
    );
    refuses('bad-definition', /set by the build itself/, () => site('kernel: {arguments: [usrhash=0]}'));
  });
});

describe('readDefinition', () => {
  it('puts the command line last and checks it as well', async () => {
    const made = await readDefinition({rootDir, site: undefined, version: '9.8.7', channel: 'beta'});
    assert.deepEqual([made.version, made.channel], ['9.8.7', 'beta']);
    const read = (version?: string, channel?: string) =>
      readDefinition({rootDir, site: undefined, version, channel});
    await assert.rejects(read('9'), /--release-version: version "9"/);
    await assert.rejects(read(undefined, 'a b'), /--channel: "a b" is not the name of a channel/);
    assert.equal(checkChannel('edge-2', 'x'), 'edge-2');
  });
});
