/**
 * The keys of a config, version 3.3.0 (Ignition's specification, docs/configuration-v3_3), once: under Ignition's names
 * for JSON, and with underscores and some more keys for the YAML that is translated.
 */
import {
  checkAccount,
  checkCompression,
  checkDropInName,
  checkHash,
  checkMode,
  checkNotEmpty,
  checkPath,
  checkSource,
  checkUnitName,
} from './checks.ts';
import type {Field, ObjectShape, Shape} from './shape.ts';

/** What the YAML has beside Ignition's keys. */
export interface Extension {
  readonly keys: Readonly<Record<string, Shape>>;
  readonly finish: NonNullable<ObjectShape['finish']>;
}

export type Extensions = Readonly<
  Partial<Record<'resource' | 'filesystem' | 'unit' | 'dropIn' | 'user' | 'storage' | 'root', Extension>>
>;

const text: Shape = {kind: 'text'};
const integer: Shape = {kind: 'integer'};
const flag: Shape = {kind: 'flag'};
const list = (of: Shape): Shape => ({kind: 'list', of});
const checked = (check: (value: string) => string | null): Shape => ({kind: 'text', check});
const name = checked(checkNotEmpty);
const path = checked(checkPath);

export function configTable(spell: (name: string) => string, extensions: Extensions): ObjectShape {
  function object(
    keys: Readonly<Record<string, Shape>>,
    required: readonly string[] = [],
    more?: Extension,
  ): ObjectShape {
    const fields: Record<string, Field> = {};
    for (const [key, shape] of Object.entries(keys)) fields[spell(key)] = {name: key, shape};
    for (const [key, shape] of Object.entries(more?.keys ?? {})) fields[key] = {name: key, shape};
    return {
      kind: 'object',
      keys: fields,
      required: required.map(spell),
      ...(more === undefined ? {} : {finish: more.finish}),
    };
  }

  const resource = object(
    {
      source: checked(checkSource),
      compression: checked(checkCompression),
      httpHeaders: list(object({name, value: text}, ['name'])),
      verification: object({hash: checked(checkHash)}),
    },
    [],
    extensions.resource,
  );
  const owner = {user: object({id: integer, name: text}), group: object({id: integer, name: text})};
  const node = {path, overwrite: flag, ...owner};
  const mode: Shape = {kind: 'integer', check: checkMode};

  const ignition = object(
    {
      version: text,
      config: object({merge: list(resource), replace: resource}),
      timeouts: object({httpResponseHeaders: integer, httpTotal: integer}),
      security: object({tls: object({certificateAuthorities: list(resource)})}),
      proxy: object({httpProxy: text, httpsProxy: text, noProxy: list(text)}),
    },
    [],
  );
  const partition = object({
    label: text,
    number: integer,
    sizeMiB: integer,
    startMiB: integer,
    typeGuid: text,
    guid: text,
    wipePartitionEntry: flag,
    shouldExist: flag,
    resize: flag,
  });
  const storage = object(
    {
      disks: list(object({device: path, wipeTable: flag, partitions: list(partition)}, ['device'])),
      raid: list(
        object({name, level: text, devices: list(path), spares: integer, options: list(text)}, ['name']),
      ),
      luks: list(
        object(
          {
            name,
            device: path,
            keyFile: resource,
            label: text,
            uuid: text,
            options: list(text),
            wipeVolume: flag,
            clevis: object({
              tpm2: flag,
              tang: list(object({url: text, thumbprint: text})),
              threshold: integer,
              custom: object({pin: text, config: text, needsNetwork: flag}),
            }),
          },
          ['name'],
        ),
      ),
      filesystems: list(
        object(
          {
            device: path,
            format: text,
            path,
            wipeFilesystem: flag,
            label: text,
            uuid: text,
            options: list(text),
            mountOptions: list(text),
          },
          ['device'],
          extensions.filesystem,
        ),
      ),
      files: list(object({...node, mode, contents: resource, append: list(resource)}, ['path'])),
      directories: list(object({...node, mode}, ['path'])),
      links: list(object({...node, target: name, hard: flag}, ['path', 'target'])),
    },
    [],
    extensions.storage,
  );
  const dropIn = object({name: checked(checkDropInName), contents: text}, ['name'], extensions.dropIn);
  const unit = object(
    {name: checked(checkUnitName), enabled: flag, mask: flag, contents: text, dropins: list(dropIn)},
    ['name'],
    extensions.unit,
  );
  const user = object(
    {
      name: checked(checkAccount),
      passwordHash: text,
      sshAuthorizedKeys: list(text),
      uid: integer,
      gecos: text,
      homeDir: path,
      noCreateHome: flag,
      primaryGroup: text,
      groups: list(text),
      noUserGroup: flag,
      noLogInit: flag,
      shell: path,
      shouldExist: flag,
      system: flag,
    },
    ['name'],
    extensions.user,
  );
  const group = object(
    {name: checked(checkAccount), gid: integer, passwordHash: text, shouldExist: flag, system: flag},
    ['name'],
  );
  return object(
    {
      ignition,
      kernelArguments: object({shouldExist: list(text), shouldNotExist: list(text)}),
      storage,
      systemd: object({units: list(unit)}),
      passwd: object({users: list(user), groups: list(group)}),
    },
    [],
    extensions.root,
  );
}

/** `sizeMiB` is `size_mib`, `sshAuthorizedKeys` is `ssh_authorized_keys`. */
export function snakeCase(camelCase: string): string {
  return camelCase.replace('MiB', 'Mib').replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
