/** Who the machines are that a server knows of, and whose group each is in; their rollouts know what becomes of them. */
import type {RequestApp} from '../../formats/omaha/request.ts';
import type {Member} from '../rollout/member.ts';
import type {MachineFacts, StoredMachine} from '../store/machines.ts';
import {storable} from './texts.ts';

export interface MachineBook {
  load(machines: Iterable<StoredMachine>): void;
  /** By its id; undefined for a machine that nobody knows. */
  groupOf(machineId: string): string | undefined;
  /** It says who it is, and is in that group from now on. */
  note(app: RequestApp, groupId: string, at: number): void;
  forget(machineId: string): void;
  /** As the store keeps them; those that were forgotten are left out. */
  describe(groupId: string, members: readonly Member[]): readonly StoredMachine[];
}

export function createMachineBook(): MachineBook {
  const facts = new Map<string, MachineFacts>();
  const groups = new Map<string, string>();
  return {
    load(machines) {
      for (const machine of machines) {
        facts.set(machine.member.id, machine.facts);
        groups.set(machine.member.id, machine.groupId);
      }
    },
    groupOf: (machineId) => groups.get(machineId),
    note(app, groupId, at) {
      const {machineId} = app;
      groups.set(machineId, groupId);
      facts.set(machineId, {
        alias: storable(app.machineAlias),
        oem: storable(app.oem),
        oemVersion: storable(app.oemVersion),
        alephVersion: storable(app.alephVersion),
        board: storable(app.board),
        firstSeenAt: facts.get(machineId)?.firstSeenAt ?? at,
      });
    },
    forget(machineId) {
      groups.delete(machineId);
      facts.delete(machineId);
    },
    describe: (groupId, members) =>
      members.flatMap((member) => {
        const known = facts.get(member.id);
        return known === undefined ? [] : [{groupId, facts: known, member}];
      }),
  };
}
