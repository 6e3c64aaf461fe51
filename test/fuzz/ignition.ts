/**
 * Configs of a first boot: whatever text comes, a verdict with places or a refusal comes out; what JSON.parse takes our
 * own reader takes as the same value; and what a YAML is translated to is a config without fault by our own table.
 */
import {isDeepStrictEqual} from 'node:util';
import {translateButane} from '../../formats/ignition/butane.ts';
import {checkIgnitionConfig} from '../../formats/ignition/check-config.ts';
import {IgnitionError} from '../../formats/ignition/errors.ts';
import {JsonError, parseJsonTree} from '../../formats/json-tree.ts';
import {YamlError, plainValue} from '../../formats/yaml.ts';
import {mutate} from './mutate.ts';
import type {Random} from './random.ts';
import type {FuzzTarget} from './target.ts';

const BUTANE = `variant: fcos
version: 1.4.0
passwd:
  users:
    - {name: ada, password_hash: "$y$x", ssh_authorized_keys: [ssh-ed25519 AAAA ada], uid: 1500}
  groups: [{name: makers, gid: 2000, system: true}]
storage:
  disks: [{device: /dev/vdb, wipe_table: true, partitions: [{label: data, number: 1, size_mib: 0}]}]
  filesystems: [{device: /dev/vdb1, format: ext4, path: /srv/d, with_mount_unit: true, mount_options: [noatime]}]
  files: [{path: /etc/a, mode: 0644, contents: {inline: "text\\n"}, user: {name: ada}}]
  links: [{path: /etc/b, target: a, hard: false}]
systemd:
  units: [{name: a.service, enabled: true, contents: "[Service]\\n", dropins: [{name: x.conf, contents: ""}]}]
`;
const WORDS = [
  '{',
  '}',
  '[',
  ']',
  '"',
  ':',
  ',',
  'null',
  'true',
  '1e999',
  '-0',
  '\\u0000',
  '"__proto__"',
  '\t',
  '\n',
  '&a',
  '*a',
  '|',
];

export const ignitionTarget: FuzzTarget = {
  name: 'ignition',
  what: 'configs of the first boot, in JSON and in YAML',
  prepare() {
    const json = Buffer.from(translateButane(BUTANE, null).text ?? '');
    if (json.length === 0) throw new Error('the YAML to begin with is no good');
    return Promise.resolve((random: Random) => {
      checkJson(change(json, random));
      checkYaml(change(Buffer.from(BUTANE), random).toString());
    });
  },
};

function change(document: Buffer, random: Random): Buffer {
  let bytes = random.below(2) === 0 ? mutate(document, random) : document;
  for (let left = random.below(4); left > 0; left -= 1) {
    const at = random.below(bytes.length + 1);
    const word = Buffer.from(WORDS[random.below(WORDS.length)] ?? '');
    bytes = Buffer.concat([bytes.subarray(0, at), word, bytes.subarray(at + random.below(6))]);
  }
  return bytes;
}

function checkJson(bytes: Buffer): void {
  orRefusal(() => checkIgnitionConfig(bytes, 'fuzz'));
  const text = bytes.toString();
  const theirs = valueOrNothing(() => JSON.parse(text) as unknown, SyntaxError);
  const ours = valueOrNothing(() => plainValue(parseJsonTree(text)), JsonError);
  if (ours !== undefined && theirs === undefined) throw new Error('accepted what JSON.parse refuses');
  // Of repeated keys and great depth they take more.
  if (ours !== undefined && !isDeepStrictEqual(ours.value, theirs?.value)) throw new Error('another value');
}

function checkYaml(text: string): void {
  const made = orRefusal(() => translateButane(text, null));
  if (made === null || made.text === null) return;
  const findings = orRefusal(() => checkIgnitionConfig(Buffer.from(made.text ?? ''), 'translation'));
  const faults = (findings ?? []).filter((each) => !/ already$/.test(each.text));
  if (faults.length > 0) throw new Error(`the translation has faults: ${faults[0]?.text}`);
}

function valueOrNothing(
  read: () => unknown,
  refusal: abstract new (...all: never[]) => Error,
): {value: unknown} | undefined {
  try {
    return {value: read()};
  } catch (error) {
    if (error instanceof refusal) return undefined;
    throw error;
  }
}

function orRefusal<T>(read: () => T): T | null {
  try {
    return read();
  } catch (error) {
    if (error instanceof IgnitionError || error instanceof YamlError) return null;
    throw error;
  }
}
