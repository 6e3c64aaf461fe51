/**
 * The peer for builds: mkosi, from Debian 13, makes a bootable disk of the same package list in the same run. Installing
 * mkosi itself is not counted (ours installs its build tools within the measured time), and its packages are cached by
 * a first build, as ours are. Needs root and 10 GiB of free memory, because both work in a tmpfs.
 */
import {mkdir, writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import {readDefinition} from '../build/main.ts';
import {type Mirror, aptSources, findMirror} from '../build/mirror.ts';
import {ROOT_DIR} from '../cli/paths.ts';
import {exec} from '../platform/exec.ts';
import type {Figure} from './figure.ts';

const MKOSI_PACKAGES = [
  'mkosi',
  ...[
    'systemd-repart',
    'systemd-ukify',
    'systemd-boot-efi',
    'systemd-container',
    'dosfstools',
    'mtools',
    'e2fsprogs',
  ],
  ...['cpio', 'zstd', 'kmod', 'apt', 'debian-archive-keyring', 'ca-certificates', 'python3-pefile'],
];

export async function benchMkosi(workDir: string, say: (text: string) => void): Promise<Figure[]> {
  const definition = await readDefinition({rootDir: ROOT_DIR});
  const mirror = await findMirror({});
  const sources = join(workDir, 'sources.list');
  await writeFile(sources, aptSources(mirror, definition.suites));
  say('mkosi: installing it (not counted)');
  const tree = join(workDir, 'mkosi.tar');
  await exec([
    'mmdebstrap',
    '--mode=root',
    '--variant=apt',
    `--include=${MKOSI_PACKAGES.join(',')}`,
    'trixie',
    tree,
    sources,
  ]);
  const project = join(workDir, 'project');
  const sandbox = join(project, 'sandbox/etc/apt/sources.list.d');
  await mkdir(sandbox, {recursive: true});
  await writeFile(
    join(project, 'mkosi.conf'),
    configuration([definition.kernel.package, ...definition.packages.include], mirror),
  );
  // mkosi would also ask for archives of debugging symbols, which not every mirror has.
  await writeFile(join(sandbox, 'mkosi.sources'), deb822Sources(mirror, definition.suites));
  say('mkosi: building twice, the second time with its packages cached');
  const script = join(import.meta.dirname, 'mkosi.sh');
  const {stdout} = await exec(['unshare', '--mount', 'sh', script, tree, project, join(workDir, 'peer')], {
    timeoutMs: 30 * 60_000,
  });
  const seconds = /^seconds (\d+)$/m.exec(stdout)?.[1];
  if (seconds === undefined) throw new Error(`mkosi did not finish:\n${stdout.slice(-2000)}`);
  return [
    {
      what: 'mkosi: disk of the same packages, packages cached, its tools installed before',
      value: Number(seconds),
      unit: 's',
    },
  ];
}

function configuration(packages: readonly string[], mirror: Mirror): string {
  return `[Distribution]
Distribution=debian
Release=trixie
Mirror=${mirror.main.replace(/\/$/, '')}
Repositories=main
[Output]
Format=disk
ImageId=peer
CompressOutput=none
[Build]
PackageCacheDirectory=/project/packages
SandboxTrees=sandbox
[Content]
Bootable=yes
Bootloader=none
WithRecommends=no
Packages=${packages.join('\n         ')}
`;
}

function deb822Sources(mirror: Mirror, suites: readonly string[]): string {
  const stanza = (address: string, names: readonly string[]): string =>
    `Types: deb\nURIs: ${address}\nSuites: ${names.join(' ')}\nComponents: main\nSigned-By: /usr/share/keyrings/debian-archive-keyring.gpg\n`;
  const isSecurity = (suite: string): boolean => suite.endsWith('-security');
  return [
    stanza(
      mirror.main,
      suites.filter((suite) => !isSecurity(suite)),
    ),
    stanza(mirror.security, suites.filter(isSecurity)),
  ].join('\n');
}
