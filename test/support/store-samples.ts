/** What tests put into stores. */
import type {Batch, StoredMachine} from '../../server/store/machines.ts';
import type {StorePlace} from '../../server/store/store.ts';
import type {Member} from '../../server/rollout/member.ts';
import {fc} from './property.ts';

export const FACTS = {
  alias: 'rack 4 "left" ü',
  oem: 'qemu',
  oemVersion: '1',
  alephVersion: '1.0.0',
  board: 'amd64-usr',
  firstSeenAt: 1_700_000_000_000,
};
export const BATCH_MACHINES = 20;

/** `postgres://...`, or a folder. */
export function placeOf(text: string): StorePlace {
  return text.startsWith('postgres:') ? {kind: 'postgres', url: text} : {kind: 'embedded', dir: text};
}

export function machineOf(groupId: string, member: Partial<Member> & {readonly id: string}): StoredMachine {
  const usual: Member = {
    id: member.id,
    version: '1.0.0',
    prefix: '',
    lastSeenAt: 1_700_000_000_000,
    progress: {kind: 'aside'},
    progressAt: 1_700_000_000_000,
    hasEntered: false,
    setbacks: 0,
    blame: null,
  };
  return {groupId, facts: FACTS, member: {...usual, ...member}};
}

export function batchOf(groupId: string, number: number): Batch {
  const ids = Array.from({length: BATCH_MACHINES}, (_, index) => `machine-${index}`);
  return {
    machines: ids.map((id) => machineOf(groupId, {id, setbacks: number})),
    events: ids.map((machineId) => ({
      at: number,
      machineId,
      groupId,
      version: '1.0.0',
      type: 3,
      result: 2,
      errorCode: null,
      previousVersion: '',
    })),
    grants: [],
    states: new Map(),
  };
}

const time = fc.nat({max: 2 ** 31}).map((seconds) => seconds * 1000 + 7);
const version = fc.constantFrom('1.0.0', '2.0.0-rc.1');

/** Records as code writes them. */
const PLAIN = {noNullPrototype: true} as const;

export const anyMember = (id: string): fc.Arbitrary<Member> =>
  fc.record(
    {
      id: fc.constant(id),
      version,
      prefix: fc.constantFrom('', '1.4'),
      lastSeenAt: time,
      progress: fc.oneof(
        fc.constantFrom({kind: 'aside' as const}, {kind: 'done' as const}),
        fc.record({kind: fc.constant('waiting' as const), expired: fc.option(version)}, PLAIN),
        fc.record(
          {
            kind: fc.constant('in-flight' as const),
            version,
            stage: fc.constantFrom(
              'granted' as const,
              'downloading' as const,
              'downloaded' as const,
              'installed' as const,
            ),
            grantedAt: time,
          },
          PLAIN,
        ),
        fc.record({kind: fc.constant('lost' as const), version}, PLAIN),
        fc.record(
          {
            kind: fc.constant('out' as const),
            why: fc.constantFrom('rolled-back' as const, 'attempts' as const),
          },
          PLAIN,
        ),
      ),
      progressAt: time,
      hasEntered: fc.boolean(),
      setbacks: fc.nat({max: 60}),
      blame: fc.constantFrom('failed' as const, 'rolled-back' as const, 'lost' as const, null),
    },
    PLAIN,
  );
