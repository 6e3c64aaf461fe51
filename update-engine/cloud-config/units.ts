/** What is to be done with units, given their state. Pure. */
import {missingUnitHint} from '../../formats/cloud-config/unit-names.ts';
import {isNetworkUnit} from '../../formats/cloud-config/units.ts';
import type {UnitCommand} from '../../formats/cloud-config/types.ts';
import type {WantedUnit} from '../../formats/cloud-config/wanted.ts';
import type {Problem} from './host.ts';
import type {CloudRecord} from './record.ts';

export type UnitVerb = 'enable' | 'disable' | 'mask' | 'unmask' | UnitCommand;

export interface UnitChange {
  readonly kind: 'unit';
  readonly unit: string;
  readonly verb: UnitVerb;
  readonly runtime: boolean;
  /** For the operator; empty when the config says it itself. */
  readonly why: string;
}

/** Properties of `systemctl show`. */
export interface UnitState {
  readonly load: string;
  readonly active: string;
  readonly fileState: string;
  readonly type: string;
}

export interface UnitFacts {
  readonly states: ReadonlyMap<string, UnitState>;
  readonly record: CloudRecord;
  /** Units with a file of theirs that this run writes. */
  readonly changed: ReadonlySet<string>;
  /** Units that will exist once the files are written: of interest to a dry run. */
  readonly coming: ReadonlySet<string>;
  readonly bootId: string;
}

const NOT_LOADED: UnitState = {load: 'not-found', active: 'inactive', fileState: '', type: ''};
const ENABLED = new Set(['enabled', 'enabled-runtime', 'static', 'indirect', 'generated', 'transient']);

export function decideUnits(
  units: readonly WantedUnit[],
  facts: UnitFacts,
): {changes: UnitChange[]; problems: Problem[]} {
  const problems: Problem[] = [];
  const states: UnitChange[] = [];
  const commands: UnitChange[] = [];
  for (const unit of units.filter(({name}) => !isNetworkUnit(name))) {
    const state = facts.states.get(unit.name) ?? NOT_LOADED;
    const isComing = facts.coming.has(unit.name);
    const asks = unit.enable || unit.command !== null;
    if (unit.mask === true) {
      if (state.load !== 'masked') states.push(change(unit, 'mask'));
      if (isActive(state) && unit.command === 'stop') commands.push(change(unit, 'stop'));
      continue;
    }
    if (state.load === 'masked' && !isComing && (unit.mask === false || asks)) {
      if (unit.mask === false) states.push(change(unit, 'unmask'));
      else {
        problems.push({
          text: `${unit.name} is masked`,
          hint: 'set mask: false in the config to have it unmasked',
        });
        continue;
      }
    }
    if (state.load === 'not-found' && !isComing && asks) {
      problems.push({
        text: `there is no unit ${unit.name} on this system, so it cannot be ${wordFor(unit)}`,
        hint: missingUnitHint(unit.name),
      });
      continue;
    }
    if (unit.enable && !ENABLED.has(state.fileState)) states.push(change(unit, 'enable'));
    if (unit.command !== null) commands.push(...commandsFor(unit, unit.command, state, facts));
  }
  return {changes: [...states, ...commands], problems};
}

function change({name, runtime}: WantedUnit, verb: UnitVerb, why = ''): UnitChange {
  return {kind: 'unit', unit: name, verb, runtime, why};
}

function wordFor({enable, command}: WantedUnit): string {
  if (command === null) return 'enabled';
  const word = {start: 'started', stop: 'stopped', restart: 'restarted', reload: 'reloaded'};
  const name = Object.hasOwn(word, command)
    ? word[command as keyof typeof word]
    : `given the command ${command}`;
  return enable ? `enabled and ${name}` : name;
}

function isActive({active}: UnitState): boolean {
  return ['active', 'reloading', 'activating', 'refreshing'].includes(active);
}

/** `start` and `stop` say how it shall be; the others are done once in a boot, and again when a file changed. */
function commandsFor(
  unit: WantedUnit,
  command: UnitCommand,
  state: UnitState,
  facts: UnitFacts,
): UnitChange[] {
  const hasChanged = facts.changed.has(unit.name);
  const wasDone =
    facts.record.boot.id === facts.bootId && facts.record.boot.commands.includes(`${command} ${unit.name}`);
  switch (command) {
    case 'start':
      if (isActive(state)) return hasChanged ? [change(unit, 'restart', 'its files have changed')] : [];
      // One that does its work and ends is not active afterwards.
      if (state.type === 'oneshot' && state.active === 'inactive' && wasDone && !hasChanged) return [];
      return [change(unit, 'start')];
    case 'stop':
      return isActive(state) ? [change(unit, 'stop')] : [];
    case 'restart':
    case 'reload':
    case 'try-restart':
    case 'reload-or-restart':
    case 'reload-or-try-restart':
      return wasDone && !hasChanged ? [] : [change(unit, command)];
  }
}

/**
 * What the config before this one switched on and this one does not speak of. Done before files are taken away, because
 * a unit without its file can be neither stopped nor disabled by what that says.
 */
export function decideRetirement(
  units: readonly WantedUnit[],
  record: CloudRecord,
  /** Units whose own file is taken away. */
  vanishing: ReadonlySet<string>,
  states: ReadonlyMap<string, UnitState>,
): UnitChange[] {
  const enabled = new Set(units.filter(({enable}) => enable).map(({name}) => name));
  const masked = new Set(units.filter(({mask}) => mask === true).map(({name}) => name));
  const isThere = (unit: string): boolean => (states.get(unit) ?? NOT_LOADED).load !== 'not-found';
  const why = 'not in the config any more';
  return [
    ...[...vanishing]
      .filter((unit) => isActive(states.get(unit) ?? NOT_LOADED))
      .map((unit) => ({kind: 'unit', unit, verb: 'stop', runtime: false, why}) as const),
    ...record.enabled
      .filter(({unit}) => !enabled.has(unit) && isThere(unit))
      .map(({unit, runtime}) => ({kind: 'unit', unit, runtime, verb: 'disable', why}) as const),
    ...record.masked
      .filter(({unit}) => !masked.has(unit))
      .map(({unit, runtime}) => ({kind: 'unit', unit, runtime, verb: 'unmask', why}) as const),
  ];
}

/** The record after these changes, and with every command of the config as done in this boot. */
export function recordUnits(
  record: CloudRecord,
  done: readonly UnitChange[],
  units: readonly WantedUnit[],
  bootId: string,
  origin: string,
): CloudRecord {
  const next = {enabled: [...record.enabled], masked: [...record.masked]};
  const commands = new Set(record.boot.id === bootId ? record.boot.commands : []);
  const drop = (list: 'enabled' | 'masked', name: string): void =>
    void (next[list] = next[list].filter(({unit}) => unit !== name));
  for (const {unit, verb, runtime} of done) {
    if (verb === 'enable') next.enabled.push({unit, runtime, origin});
    else if (verb === 'mask') next.masked.push({unit, runtime, origin});
    else if (verb === 'disable') drop('enabled', unit);
    else if (verb === 'unmask') drop('masked', unit);
    else {
      const command = units.find(({name}) => name === unit)?.command;
      if (command !== null && command !== undefined) commands.add(`${command} ${unit}`);
    }
  }
  const scriptSha256 = record.boot.id === bootId ? record.boot.scriptSha256 : null;
  return {...record, ...next, boot: {id: bootId, commands: [...commands], scriptSha256}};
}
