/** A status document of a host at rest. */
import type {Status} from '../../update-engine/api/status.ts';

export const AT = Date.UTC(2026, 10, 21, 9, 0, 0);

export function sampleStatus(changes: Partial<Status> = {}): Status {
  return {
    format: 1,
    revision: 7,
    engine: {pid: 100, startedAt: AT - 3_600_000},
    os: {product: 'caisson', architecture: 'x86-64', version: '1.4.0', buildId: 'b4', channel: 'stable'},
    slot: 'A',
    isLive: false,
    isGood: true,
    slots: [
      {
        letter: 'A',
        isRunning: true,
        priority: 2,
        tries: 0,
        successful: true,
        partitionGuid: 'aaaaaaaa-0000-0000-0000-000000000000',
        version: '1.4.0',
        buildId: 'b4',
      },
      {
        letter: 'B',
        isRunning: false,
        priority: 1,
        tries: 0,
        successful: true,
        partitionGuid: 'bbbbbbbb-0000-0000-0000-000000000000',
        version: '1.3.0',
        buildId: 'b3',
      },
    ],
    nextBoot: {kind: 'boot', slot: 'A', reason: 'priority 2 and known to be good; B: lower priority 1'},
    state: 'IDLE',
    stateSince: AT - 60_000,
    offer: null,
    progress: null,
    waiting: [],
    lastCheck: {at: AT - 60_000, outcome: 'nothing', version: null, detail: 'nothing newer'},
    lastOffer: null,
    channel: null,
    nextCheckAt: AT + 1_800_000,
    lastUpdate: null,
    lastError: null,
    pending: null,
    denied: [],
    config: {
      server: 'http://updates.example/v1/update/',
      group: 'stable',
      pin: null,
      highest: null,
      allowDowngrade: false,
      problems: [],
    },
    disk: {problems: [], repair: null},
    reboot: {
      wantedSince: null,
      blockedBy: null,
      gates: [],
      window: {answer: 'open', detail: 'no window is set'},
      debt: null,
      owedBecause: null,
      lockAttempts: 0,
    },
    strategy: {configured: 'reboot', effective: 'reboot', note: null},
    health: null,
    counters: {checks: 3, checkFailures: 1, updates: 1, updateFailures: 0},
    ...changes,
  };
}
