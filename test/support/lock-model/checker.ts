/**
 * Whether a history is one that a correct lock can have. Of an operation it is known only that its effect came between
 * question and answer, so every rule is put so that it holds for each moment in between: what is reported is a fault
 * for certain.
 *
 * The effect of an operation without an answer may come later still; until its actor got an answer to a later question,
 * for which the lock vouches (see coordination/etcd-document.ts).
 */
import type {History, HostOperation, Operation} from './history.ts';

export interface Hold {
  readonly host: string;
  /** Of the question that was answered with the slot. */
  readonly askedAt: number;
  /** From here on the host holds it for certain ... */
  readonly from: number;
  /** ... until somebody begins to give it back. */
  readonly until: number;
}

/** Sentences about what cannot be; none for a history without a fault. */
export function findFaults(history: History): string[] {
  const byHost = groupByHost(history.operations, latestEffects(history.operations));
  const holds = [...byHost.values()].flatMap(definiteHolds);
  return [
    ...findTooMany(history, holds),
    ...findWrongSights(history, byHost, holds),
    ...findWrongEnd(history, byHost, holds),
  ];
}

/** A host's operation with the moment after which it has no effect any more. */
interface Known {
  readonly operation: HostOperation;
  readonly effectUntil: number;
}

/** For each operation without an answer: when its actor had the answer to a later one. */
function latestEffects(operations: readonly Operation[]): Map<Operation, number> {
  const byActor = new Map<string, Operation[]>();
  for (const operation of operations)
    byActor.set(operation.actor, [...(byActor.get(operation.actor) ?? []), operation]);
  const result = new Map<Operation, number>();
  for (const own of byActor.values()) {
    let settledAt = Infinity;
    for (const operation of own.sort((a, b) => b.from - a.from)) {
      if (operation.outcome !== 'unknown') settledAt = operation.to;
      result.set(operation, operation.outcome === 'unknown' ? settledAt : operation.to);
    }
  }
  return result;
}

function groupByHost(
  operations: readonly Operation[],
  effects: ReadonlyMap<Operation, number>,
): Map<string, Known[]> {
  const byHost = new Map<string, Known[]>();
  for (const operation of operations) {
    if (operation.kind === 'set-max') continue;
    const list = byHost.get(operation.host) ?? [];
    list.push({operation, effectUntil: effects.get(operation) ?? Infinity});
    byHost.set(operation.host, list);
  }
  return byHost;
}

/** When the host held a slot for certain: it was told so, and nobody was giving it back. */
function definiteHolds(own: readonly Known[]): Hold[] {
  const releases = own.filter(({operation}) => operation.kind === 'release');
  return own.flatMap(({operation}) => {
    if (operation.outcome !== 'held') return [];
    const {host, from: askedAt, to: from} = operation;
    const threats = releases.filter((each) =>
      each.operation.outcome === 'unknown' ? each.effectUntil > from : each.effectUntil >= askedAt,
    );
    const until = Math.min(Infinity, ...threats.map((each) => each.operation.from));
    return until <= from ? [] : [{host, askedAt, from, until}];
  });
}

/** Never more holders than slots at the moment when the last of them got in. */
function findTooMany({initialMax, operations}: History, holds: readonly Hold[]): string[] {
  const changes = operations.filter((each) => each.kind === 'set-max');
  const effects = latestEffects(operations);
  return holds.flatMap((hold) => {
    const together = uniqueHosts(holds.filter(({from, until}) => from <= hold.from && until > hold.from));
    // The last to get in did so after all had asked, and before all had their answer.
    const asked = Math.max(...together.map(({askedAt}) => askedAt));
    const answered = Math.max(...together.map(({from}) => from));
    const mays = changes.filter(
      (change) =>
        change.from <= answered &&
        !changes.some(
          (later) =>
            later.outcome === 'set' && later.from > (effects.get(change) ?? Infinity) && later.to < asked,
        ),
    );
    const isInitial = !changes.some(({outcome, to}) => outcome === 'set' && to < asked);
    const max = Math.max(...mays.map((change) => change.max), ...(isInitial ? [initialMax] : []));
    if (together.length <= max) return [];
    const names = together.map(({host}) => host).join(', ');
    return [`${together.length} hosts hold one of ${max} slots at ${Math.round(hold.from)}: ${names}`];
  });
}

/** A host may hold through several answers; it is one holder all the same. */
function uniqueHosts(holds: readonly Hold[]): Hold[] {
  const first = new Map<string, Hold>();
  for (const hold of [...holds].sort((a, b) => a.from - b.from))
    if (!first.has(hold.host)) first.set(hold.host, hold);
  return [...first.values()];
}

/** What hosts were told about the others, held against what the others were told about themselves. */
function findWrongSights(
  {operations}: History,
  byHost: ReadonlyMap<string, readonly Known[]>,
  holds: readonly Hold[],
): string[] {
  return operations.flatMap((operation) => {
    if (operation.outcome !== 'full') return [];
    const {from, to, host, sight} = operation;
    const where = `${host} at ${Math.round(from)}`;
    const faults: string[] = [];
    if (sight.holders.length < sight.max)
      faults.push(`${where}: told "full" with ${sight.holders.length} of ${sight.max} slots taken`);
    for (const hold of holds)
      if (hold.from <= from && hold.until > to && !sight.holders.includes(hold.host))
        faults.push(`${where}: ${hold.host}, which holds a slot, is forgotten`);
    for (const holder of sight.holders)
      if (!mayHold(byHost.get(holder) ?? [], from, to))
        faults.push(`${where}: ${holder}, which gave its slot back, still holds it`);
    const {position, waiting} = sight;
    const isSane =
      position === null ||
      (waiting !== null && position >= 1 && position <= waiting && waiting <= byHost.size);
    if (!isSane) faults.push(`${where}: place ${position} of ${waiting} among ${byHost.size} hosts`);
    return faults;
  });
}

/** Whether the host may have held a slot at some moment between the two. */
function mayHold(own: readonly Known[], from: number, to: number): boolean {
  return own.some(
    ({operation, effectUntil}) =>
      operation.kind === 'acquire' &&
      operation.outcome !== 'full' &&
      operation.from <= to &&
      !own.some(
        ({operation: later}) =>
          later.kind === 'release' &&
          later.outcome !== 'unknown' &&
          (later.actor === operation.actor ? later.from >= operation.to : later.from > effectUntil) &&
          later.to < from,
      ),
  );
}

/** What is left at the end is what those who were told so hold, and nothing else. */
function findWrongEnd(
  {operations, final}: History,
  byHost: ReadonlyMap<string, readonly Known[]>,
  holds: readonly Hold[],
): string[] {
  const end = Math.max(0, ...operations.map(({to}) => to)) + 1;
  const forgotten = uniqueHosts(holds.filter(({until}) => until === Infinity))
    .filter(({host}) => !final.holders.includes(host))
    .map(({host}) => `${host} was told that it holds a slot, and at the end holds none`);
  const lost = final.holders
    .filter((host) => !mayHold(byHost.get(host) ?? [], end, end))
    .map((host) => `${host} gave its slot back, and at the end still holds one`);
  return [...forgotten, ...lost];
}
