/** What this host says to its server: who it is, what it runs, and how the last update went. */
import {EVENT_RESULTS, EVENT_TYPES, ERROR_CODES} from '../../formats/omaha/codes.ts';
import {CAISSON_APP_ID, NO_VERSION, type OmahaEvent, type OmahaRequest} from '../../formats/omaha/request.ts';

/** Who asks. All of it is text from files of the host. */
export interface OmahaHost {
  readonly version: string;
  /** Of the release that was installed first; empty when nobody knows. */
  readonly alephVersion: string;
  /** GROUP of update.conf. */
  readonly group: string;
  /** 32 hex digits. */
  readonly machineId: string;
  readonly machineAlias: string;
  /** A UUID without braces. */
  readonly bootId: string;
  readonly oem: {readonly id: string; readonly version: string};
}

export interface Question {
  readonly by: 'timer' | 'operator';
  readonly ping: boolean;
  /** Null when nothing is asked. */
  readonly updateCheck: {readonly targetVersionPrefix: string} | null;
  readonly events: readonly OmahaEvent[];
}

const BOARD = 'amd64-usr';
const MACHINE = 'x86_64';

export function requestOf(host: OmahaHost, {by, ping, updateCheck, events}: Question): OmahaRequest {
  return {
    updaterVersion: `caisson-${host.version}`,
    installSource: by === 'timer' ? 'scheduler' : 'ondemandupdate',
    os: {platform: 'Caisson', version: 'Caisson', sp: `${host.version}_${MACHINE}`, arch: MACHINE},
    apps: [
      {
        appId: CAISSON_APP_ID,
        version: host.version,
        track: host.group,
        board: BOARD,
        machineId: host.machineId,
        machineAlias: host.machineAlias,
        bootId: `{${host.bootId}}`,
        oem: host.oem.id,
        oemVersion: host.oem.version,
        alephVersion: host.alephVersion,
        deltaOkay: false,
        ping,
        updateCheck,
        events,
      },
    ],
  };
}

/**
 * The event that every update check carries. `previousVersion`: what ran when the last update was applied; empty once it
 * was told; null when there never was one. It being the running one means that the host came back to it.
 */
export function eventOfCheck(previousVersion: string | null, runningVersion: string): OmahaEvent {
  if (previousVersion === runningVersion) {
    return {
      type: EVENT_TYPES.UPDATE_COMPLETE,
      result: EVENT_RESULTS.ERROR,
      errorCode: ERROR_CODES.ROLLBACK,
      previousVersion: null,
    };
  }
  return {
    type: EVENT_TYPES.UPDATE_COMPLETE,
    result: EVENT_RESULTS.SUCCESS_REBOOT,
    errorCode: null,
    previousVersion: previousVersion ?? NO_VERSION,
  };
}
