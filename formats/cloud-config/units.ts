/** `coreos.units` of a cloud-config: units with their content, and what is to be done with them. */
import type {YamlEntry, YamlNode} from '../yaml.ts';
import {type Fields, type Reader, isMissing, joinPath, show} from './reader.ts';
import {type ConfigUnit, UNIT_COMMANDS, type UnitCommand} from './types.ts';

const KEYS = ['name', 'mask', 'enable', 'runtime', 'content', 'command', 'drop_ins'] as const;
type Key = (typeof KEYS)[number];
const DROP_IN_KEYS = ['name', 'content'] as const;

/** systemd.unit(5), and the three kinds of file that networkd and udev read. */
const SYSTEM_KINDS = 'service|socket|device|mount|automount|swap|target|path|timer|slice|scope';
const UNIT_NAME = new RegExp(`^[\\w:.\\\\@-]{1,200}\\.(${SYSTEM_KINDS}|network|netdev|link)$`);
const DROP_IN_NAME = /^[\w:.@-]{1,200}\.conf$/;

/** Whether systemd-networkd reads it, instead of systemd. */
export function isNetworkUnit(name: string): boolean {
  return /\.(network|netdev|link)$/.test(name);
}

export function readUnits(reader: Reader, entry: YamlEntry | undefined): readonly ConfigUnit[] {
  const units: ConfigUnit[] = [];
  for (const {node, path} of reader.list(entry, 'coreos.units')) {
    const unit = readUnit(reader, node, path);
    if (unit === null) continue;
    if (units.some(({name}) => name === unit.name))
      reader.error(node.place, `${path}: ${unit.name} is there twice`);
    else units.push(unit);
  }
  return units;
}

function readUnit(reader: Reader, node: YamlNode, path: string): ConfigUnit | null {
  const fields = reader.map(node, path, KEYS);
  if (fields === null) return null;
  const name = readName(
    reader,
    fields.get('name'),
    path,
    UNIT_NAME,
    'is no name of a unit, such as hello.service',
  );
  if (name === null) {
    if (isMissing(fields.get('name'))) reader.error(node.place, `${path} has no name`);
    return null;
  }
  const contentEntry = fields.get('content');
  const content = reader.text(contentEntry, joinPath(path, 'content'));
  // A unit that was to be replaced must not be started as it is.
  if (contentEntry !== undefined && contentEntry.value.kind !== 'scalar') return null;
  const mask = reader.flag(fields.get('mask'), joinPath(path, 'mask'));
  const enable = reader.flag(fields.get('enable'), joinPath(path, 'enable')) ?? false;
  const runtime = reader.flag(fields.get('runtime'), joinPath(path, 'runtime')) ?? false;
  const command = readCommand(reader, fields, path);
  const dropIns = readDropIns(reader, fields.get('drop_ins'), joinPath(path, 'drop_ins'));
  if (mask === true && (enable || (command !== null && command !== 'stop') || content !== null))
    return reader.error(
      node.place,
      `${path}: ${name} cannot be masked and have content, be enabled or started as well`,
    );
  if (isNetworkUnit(name) && (enable || mask === true || command !== null))
    reader.warn(
      node.place,
      `${path}: ${name} is read by systemd-networkd; mask, enable and command mean nothing to it`,
    );
  return {name, mask, enable, runtime, content, command, dropIns};
}

function readName(
  reader: Reader,
  entry: YamlEntry | undefined,
  path: string,
  pattern: RegExp,
  problem: string,
): string | null {
  const text = reader.line(entry, joinPath(path, 'name'));
  if (text === null || entry === undefined || pattern.test(text)) return text;
  return reader.error(entry.value.place, `${path}: ${show(text)} ${problem}`);
}

function readCommand(reader: Reader, fields: Fields<Key>, path: string): UnitCommand | null {
  const entry = fields.get('command');
  const text = reader.line(entry, joinPath(path, 'command'));
  if (text === null || entry === undefined) return null;
  const found = UNIT_COMMANDS.find((name) => name === text);
  return (
    found ??
    reader.error(entry.value.place, `${path}: command ${show(text)} is none of ${UNIT_COMMANDS.join(', ')}`)
  );
}

function readDropIns(reader: Reader, entry: YamlEntry | undefined, path: string): ConfigUnit['dropIns'] {
  const dropIns: {name: string; content: string}[] = [];
  for (const {node, path: item} of reader.list(entry, path)) {
    const fields = reader.map(node, item, DROP_IN_KEYS);
    if (fields === null) continue;
    const name = readName(
      reader,
      fields.get('name'),
      item,
      DROP_IN_NAME,
      'is no name of a drop-in, such as 10-site.conf',
    );
    const content = reader.text(fields.get('content'), joinPath(item, 'content'));
    if (name === null) {
      if (isMissing(fields.get('name'))) reader.error(node.place, `${item} has no name`);
    } else if (content === null) reader.error(node.place, `${item} has no content`);
    else if (dropIns.some((other) => other.name === name))
      reader.error(node.place, `${item}: ${name} is there twice`);
    else dropIns.push({name, content});
  }
  return dropIns;
}
