/**
 * YAML in the manner of Butane to a config for Ignition: the same keys with underscores, contents written inline or
 * taken from local files, directory trees, and mount units on request. Written anew because the translator that people
 * know is a program in another language that Debian does not have; variants of systems with the same keys are taken.
 */
import {parseYaml} from '../yaml.ts';
import {checkPath} from './checks.ts';
import {sourceOf} from './contents.ts';
import {IgnitionError} from './errors.ts';
import {refusalsOf} from './limits.ts';
import {type MountUnit, mountUnit} from './mount-unit.ts';
import {MAX_IGNITION_BYTES, NEWEST_VERSION} from './read-config.ts';
import {
  type Finding,
  type Findings,
  type Position,
  type Values,
  createFindings,
  quote,
  readByShape,
} from './shape.ts';
import {type Extension, configTable, snakeCase} from './tables.ts';

/** Files beside the YAML, by paths without `..` relative to one folder. Each throws an Error that says what is wrong. */
export interface LocalFiles {
  read(path: string): Uint8Array;
  /** Everything below, sorted, by paths relative to `path`. */
  list(path: string): readonly LocalEntry[];
}

export type LocalEntry =
  | {readonly kind: 'file'; readonly path: string; readonly isExecutable: boolean}
  | {readonly kind: 'link'; readonly path: string; readonly target: string}
  | {readonly kind: 'directory'; readonly path: string};

export interface Translation {
  /** JSON; null when there are errors. */
  readonly text: string | null;
  readonly findings: readonly Finding[];
}

/** Versions whose keys are those of Ignition 3.3 or fewer; later ones are taken as long as they use nothing newer. */
const VARIANTS: Readonly<Record<string, RegExp>> = {
  caisson: /^1\.0\.0$/,
  fcos: /^1\.[0-5]\.0$/,
  flatcar: /^1\.[01]\.0$/,
};
const MAX_ALIASES = 1000;

/** `files` is null when there is no folder for local files. Throws YamlError. */
export function translateButane(text: string, files: LocalFiles | null): Translation {
  const findings = createFindings();
  const tree = parseYaml(text, {version: '1.2', maxAliases: MAX_ALIASES, maxCharacters: MAX_IGNITION_BYTES});
  if (tree === null) throw new IgnitionError('bad-config', 'the text is empty');
  const table = configTable(snakeCase, extensionsFor(files));
  const value = readByShape(tree, table, '', findings);
  if (value !== undefined)
    for (const {text: refusal} of refusalsOf(value)) findings.error(tree.place, refusal);
  const sorted = findings.all.sort((a, b) => a.line - b.line || a.column - b.column);
  if (value === undefined || sorted.some(({kind}) => kind === 'error')) return {text: null, findings: sorted};
  return {text: `${JSON.stringify(value, null, 2)}\n`, findings: sorted};
}

function extensionsFor(files: LocalFiles | null): Parameters<typeof configTable>[1] {
  const text = {kind: 'text'} as const;
  return {
    resource: {
      keys: {inline: text, local: text},
      finish: (value, at, findings) => resource(value, at, findings, files),
    },
    filesystem: {keys: {with_mount_unit: {kind: 'flag'}}, finish: filesystem},
    dropIn: {
      keys: {contents_local: text},
      finish: (value, at, findings) => contentsOf(value, at, findings, files),
    },
    unit: {
      keys: {contents_local: text},
      finish: (value, at, findings) => contentsOf(value, at, findings, files),
    },
    user: {
      keys: {ssh_authorized_keys_local: {kind: 'list', of: text}},
      finish: (value, at, findings) => keysOf(value, at, findings, files),
    },
    storage: {
      keys: {
        trees: {
          kind: 'list',
          of: {
            kind: 'object',
            keys: {
              local: {name: 'local', shape: text},
              path: {name: 'path', shape: {kind: 'text', check: checkPath}},
            },
            required: ['local'],
          },
        },
      },
      finish: (value, at, findings) => trees(value, at, findings, files),
    },
    root: {keys: {variant: text, version: text}, finish: root},
  } satisfies Record<string, Extension>;
}

function root(value: Values, {place}: Position, findings: Findings): Values {
  const {variant, version, ...config} = value;
  const versions =
    typeof variant === 'string' && Object.hasOwn(VARIANTS, variant) ? VARIANTS[variant] : undefined;
  if (versions === undefined)
    findings.error(
      place,
      `variant is ${typeof variant === 'string' ? quote(variant) : 'missing'}, expected one of ${Object.keys(VARIANTS).join(', ')}`,
    );
  else if (typeof version !== 'string' || !versions.test(version))
    findings.error(
      place,
      `version is ${typeof version === 'string' ? quote(version) : 'missing'}, which variant ${String(variant)} does not have here`,
    );
  const {ignition, storage, ...rest} = config as {ignition?: Values; storage?: Values};
  if (ignition?.['version'] !== undefined)
    findings.error(place, 'ignition.version is written by the translation; leave it out');
  const units = mountUnitsOf(storage);
  const filesystems = filesystemsOf(storage).map((each) =>
    Object.fromEntries(Object.entries(each).filter(([key]) => key !== 'with_mount_unit')),
  );
  return withUnits(
    {
      ignition: {...ignition, version: NEWEST_VERSION},
      ...(storage === undefined
        ? {}
        : {storage: {...storage, ...(filesystems.length === 0 ? {} : {filesystems})}}),
      ...rest,
    },
    units,
    place,
    findings,
  );
}

function filesystemsOf(storage: Values | undefined): readonly Values[] {
  return (storage?.['filesystems'] ?? []) as readonly Values[];
}

function mountUnitsOf(storage: Values | undefined): MountUnit[] {
  return filesystemsOf(storage)
    .filter((each) => each['with_mount_unit'] === true)
    .map((each) =>
      mountUnit({
        device: (each['device'] ?? '') as string,
        format: (each['format'] ?? '') as string,
        path: (each['path'] ?? '') as string,
        options: (each['mountOptions'] ?? []) as string[],
      }),
    );
}

function withUnits(
  config: Values,
  units: readonly MountUnit[],
  place: Position['place'],
  findings: Findings,
): Values {
  if (units.length === 0) return config;
  const systemd = (config['systemd'] ?? {}) as Values;
  const own = (systemd['units'] ?? []) as readonly Values[];
  for (const {name} of units)
    if (own.some((unit) => unit['name'] === name && unit['contents'] !== undefined))
      findings.error(place, `systemd.units has ${name} already, which with_mount_unit would make`);
  return {
    ...config,
    systemd: {...systemd, units: [...own, ...units.map((unit) => ({...unit, enabled: true}))]},
  };
}

function filesystem(value: Values, {place, path}: Position, findings: Findings): Values {
  if (value['with_mount_unit'] !== true) return value;
  if (value['format'] === undefined) findings.error(place, `${path}: with_mount_unit needs format`);
  else if (value['format'] !== 'swap' && value['path'] === undefined)
    findings.error(place, `${path}: with_mount_unit needs path`);
  return value;
}

function resource(value: Values, at: Position, findings: Findings, files: LocalFiles | null): Values {
  const {inline, local, ...rest} = value;
  const given = [inline, local, rest['source']].filter((each) => each !== undefined);
  if (given.length > 1) {
    findings.error(at.place, `${at.path}: only one of inline, local and source can be`);
    return rest;
  }
  let content: Uint8Array | null = null;
  if (typeof inline === 'string') content = Buffer.from(inline);
  if (typeof local === 'string') content = readLocal(local, at, findings, files);
  if (content === null) return rest;
  if (rest['compression'] !== undefined) {
    // Then it is packed already, and what it unpacks to is meant.
    return {...rest, source: `data:;base64,${Buffer.from(content).toString('base64')}`};
  }
  return {...rest, ...sourceOf(content)};
}

function contentsOf(value: Values, at: Position, findings: Findings, files: LocalFiles | null): Values {
  const {contents_local: local, ...rest} = value;
  if (typeof local !== 'string') return rest;
  if (rest['contents'] !== undefined) {
    findings.error(at.place, `${at.path}: only one of contents and contents_local can be`);
    return rest;
  }
  const content = readLocalText(local, at, findings, files);
  return content === null ? rest : {...rest, contents: content};
}

function keysOf(value: Values, at: Position, findings: Findings, files: LocalFiles | null): Values {
  const {ssh_authorized_keys_local: local, ...rest} = value;
  const fromFiles = ((local ?? []) as string[]).flatMap((path) =>
    (readLocalText(path, at, findings, files) ?? '').split('\n').map((line) => line.trim()),
  );
  const keys = [
    ...((rest['sshAuthorizedKeys'] ?? []) as string[]),
    ...fromFiles.filter((line) => line !== ''),
  ];
  return keys.length === 0 ? rest : {...rest, sshAuthorizedKeys: keys};
}

/** What is listed by itself keeps its own attributes and gets only its content from the tree. */
function trees(value: Values, at: Position, findings: Findings, files: LocalFiles | null): Values {
  const {trees: wanted, ...rest} = value;
  const [made, links]: [Values[], Values[]] = [[], []];
  const own = ['files', 'links', 'directories'].flatMap((list) =>
    ((rest[list] ?? []) as readonly Values[]).map(({path}) => path),
  );
  for (const {local, path = '/'} of (wanted ?? []) as {local?: string; path?: string}[]) {
    if (local === undefined) continue;
    for (const entry of listLocal(local, at, findings, files)) {
      const target = `${path === '/' ? '' : path}/${entry.path}`;
      if (entry.kind === 'directory') continue;
      if (own.includes(target)) {
        findings.error(at.place, `${target} is in the tree ${quote(local)}, and listed by itself as well`);
        continue;
      }
      if (entry.kind === 'link') links.push({path: target, target: entry.target});
      else {
        const content = readLocal(`${local}/${entry.path}`, at, findings, files);
        const mode = entry.isExecutable ? 0o755 : 0o644;
        if (content !== null) made.push({path: target, mode, contents: sourceOf(content)});
      }
    }
  }
  return {
    ...rest,
    ...(made.length === 0 ? {} : {files: [...((rest['files'] ?? []) as Values[]), ...made]}),
    ...(links.length === 0 ? {} : {links: [...((rest['links'] ?? []) as Values[]), ...links]}),
  };
}

function readLocalText(
  path: string,
  at: Position,
  findings: Findings,
  files: LocalFiles | null,
): string | null {
  const content = readLocal(path, at, findings, files);
  return content === null ? null : Buffer.from(content).toString('utf8');
}

function readLocal(
  path: string,
  at: Position,
  findings: Findings,
  files: LocalFiles | null,
): Uint8Array | null {
  return whenLocal(path, at, findings, files, (folder) => folder.read(path));
}

function listLocal(
  path: string,
  at: Position,
  findings: Findings,
  files: LocalFiles | null,
): readonly LocalEntry[] {
  return whenLocal(path, at, findings, files, (folder) => folder.list(path)) ?? [];
}

function whenLocal<T>(
  path: string,
  {place, path: where}: Position,
  findings: Findings,
  files: LocalFiles | null,
  use: (files: LocalFiles) => T,
): T | null {
  if (files === null) {
    findings.error(place, `${where}: local files need --files-dir`);
    return null;
  }
  if (path === '' || path.startsWith('/') || path.split('/').includes('..') || path.includes('\0')) {
    findings.error(place, `${where}: ${quote(path)} does not lie below --files-dir`);
    return null;
  }
  try {
    return use(files);
  } catch (error) {
    findings.error(place, `${where}: ${error instanceof Error ? error.message : String(error)}`);
    return null;
  }
}
