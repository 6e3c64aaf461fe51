/**
 * What the engine can be in the middle of, what it hears, and what it then has done. Every state carries its own data,
 * so that no flag beside it can contradict it. The names people see are those of the lineage's status enumeration
 * (update_engine, update_attempter.h); scripts and dashboards parse them.
 */
import type {SlotLetter} from '../../formats/gpt/slots.ts';
import type {Offer as OmahaOffer} from '../../formats/omaha/offer.ts';
import type {OmahaEvent} from '../../formats/omaha/request.ts';
import type {Pending} from '../state/documents.ts';

export const STATUS_NAMES = [
  'IDLE',
  'CHECKING_FOR_UPDATE',
  'UPDATE_AVAILABLE',
  'DOWNLOADING',
  'VERIFYING',
  'FINALIZING',
  'UPDATED_NEED_REBOOT',
  'REPORTING_ERROR_EVENT',
] as const;
export type StatusName = (typeof STATUS_NAMES)[number];

/** Who wants something, and how far it may go. */
export interface Wish {
  by: 'timer' | 'operator';
  /** Whether what is found is installed, or only told. */
  install: boolean;
  /** Only this version will do. */
  version: string | null;
  /** A payload file instead of the server's offer. */
  payloadPath: string | null;
}

export const TIMER_WISH: Wish = {by: 'timer', install: true, version: null, payloadPath: null};

/** A payload that may be installed, as far as that can be told without its manifest. */
export interface Offer {
  version: string;
  /** Of the whole file; 0 when the server did not say. */
  bytes: number;
  source: {kind: 'server'; offer: OmahaOffer} | {kind: 'file'; path: string};
  wish: Wish;
}

/** What a reboot leads to. */
export interface Target {
  version: string;
  /** Null on a host that runs from its boot image. */
  slot: SlotLetter | null;
  /**
   * `rollback`: an operator pointed the machine back; no trial follows. `requested`: the running release once more, for
   * the sake of the restart. `image`: nothing is installed; the machine is given a newer boot image when it restarts.
   */
  kind: 'update' | 'rollback' | 'requested' | 'image';
  /** An operator wants it now: of all conditions only the lock counts. */
  isUrgent: boolean;
  /** Installed because the channel offers it; when the channel does not any more, it is dropped. */
  followsChannel: boolean;
}

export const STAGES = ['check', 'prepare', 'download', 'verify', 'finalize'] as const;
export type Stage = (typeof STAGES)[number];

export interface Failure {
  stage: Stage;
  message: string;
  hint: string | null;
  /** Error code of the lineage, action_processor.h. */
  code: number;
  /** `policy`: nothing is broken, we do not want it. */
  kind: 'transfer' | 'content' | 'local' | 'policy' | 'cancelled';
  version: string | null;
}

/** How this boot stands to the last update: see trial.ts. */
export type Situation =
  | {kind: 'ordinary'}
  /** The running slot has not earned its mark yet; `pending` is null when no update led here. */
  | {kind: 'on-trial'; pending: Pending | null}
  | {kind: 'confirmed'; pending: Pending}
  | {kind: 'rolled-back'; pending: Pending; reason: string}
  /** The document is there, but its slot was never made next, or is not what it was. */
  | {kind: 'abandoned'; pending: Pending; reason: string}
  | {kind: 'awaiting-reboot'; target: Target};

export type State =
  | {kind: 'starting'}
  | {kind: 'idle'}
  | {kind: 'on-trial'; pending: Pending | null}
  | {kind: 'checking'; wish: Wish}
  | {kind: 'available'; offer: Offer}
  | {kind: 'downloading'; offer: Offer}
  | {kind: 'verifying'; offer: Offer}
  | {kind: 'finalizing'; offer: Offer}
  | {kind: 'reporting-error'; failure: Failure}
  /** `isAsking`: the server is being asked meanwhile what it offers now. */
  | {kind: 'need-reboot'; target: Target; isAsking: boolean};

export type CheckOutcome =
  | {kind: 'nothing'; detail: string}
  | {kind: 'refused'; version: string; detail: string}
  /** It would be installed, were that wished. */
  | {kind: 'offered'; offer: Offer}
  /** This host installs nothing, but a restart may bring it. */
  | {kind: 'newer-image'; version: string; detail: string};

export type LookOutcome =
  | Exclude<CheckOutcome, {kind: 'offered'}>
  /** What waits for the reboot is not what the channel offers any more. */
  | {kind: 'withdrawn'; detail: string};

export type Event =
  | {kind: 'booted'; situation: Situation}
  | {kind: 'became-good'}
  | {kind: 'woken'; wish: Wish}
  | {kind: 'checked'; outcome: CheckOutcome}
  /** The same for a host that waits for its reboot: nothing is installed, whatever is offered. */
  | {kind: 'looked'; outcome: LookOutcome}
  /** How far the install job has come; `committed` is its end. */
  | {kind: 'prepared'}
  | {kind: 'applied'}
  | {kind: 'verified'}
  | {kind: 'committed'; target: Target}
  | {kind: 'failed'; failure: Failure}
  /** The failure was told to the server, or put into the queue for it. */
  | {kind: 'reported'}
  /** An operator's words, after the disk already says so. */
  | {kind: 'reset'}
  /** For a way back, or for its own sake; in a state that needs a reboot already, in place of what it was for. */
  | {kind: 'reboot-asked'; target: Target}
  | {kind: 'reboot-due'};

export type NextCheck = 'first' | 'soon' | 'periodic' | 'after-error';

/** `job`: runs long, one at a time, and ends with an event. The others are done at once, in order. */
export type Effect =
  | {kind: 'job'; job: Job}
  | {kind: 'abort-job'}
  | {kind: 'report'; event: OmahaEvent}
  | {kind: 'schedule'; next: NextCheck}
  | {kind: 'watch-trial'}
  /** The update is done: event, leftovers, and last the pending document. */
  | {kind: 'confirm'; pending: Pending}
  /** Deny list first, and last the pending document. */
  | {kind: 'give-up'; pending: Pending; reason: string}
  /** What was installed is not to be started after all; the server hears of it. */
  | {kind: 'drop-pending'; reason: string}
  /** The same, and the slot is cleared, so that the next start is the running release. */
  | {kind: 'withdraw'; reason: string}
  | {kind: 'record-check'; outcome: CheckOutcome}
  | {kind: 'record-failure'; failure: Failure}
  /** Written down and told to the server, once for each installation. */
  | {kind: 'record-installed'; target: Target}
  | {kind: 'plan-reboot'; target: Target}
  | {kind: 'log'; level: 'info' | 'warn'; text: string};

export type Job =
  | {kind: 'check'; wish: Wish}
  | {kind: 'install'; offer: Offer}
  | {kind: 'report-failure'; failure: Failure}
  /** Asks the server without taking anything, so that it sees the host and the host learns what is offered. */
  | {kind: 'look'; target: Target};

export interface Settings {
  /** False with SERVER=disabled: only an operator's payload file leads anywhere then. */
  hasServer: boolean;
}

export function statusOf(state: State): StatusName {
  switch (state.kind) {
    case 'starting':
    case 'idle':
    case 'on-trial':
      return 'IDLE';
    case 'checking':
      return 'CHECKING_FOR_UPDATE';
    case 'available':
      return 'UPDATE_AVAILABLE';
    case 'downloading':
      return 'DOWNLOADING';
    case 'verifying':
      return 'VERIFYING';
    case 'finalizing':
      return 'FINALIZING';
    case 'need-reboot':
      return 'UPDATED_NEED_REBOOT';
    case 'reporting-error':
      return 'REPORTING_ERROR_EVENT';
  }
}

/** The job that runs while the state lasts; waiting for a reboot has one now and then. */
const JOB_OF = {
  starting: null,
  idle: null,
  'on-trial': null,
  checking: 'check',
  available: 'install',
  downloading: 'install',
  verifying: 'install',
  finalizing: 'install',
  'reporting-error': 'report-failure',
  'need-reboot': 'look',
} as const satisfies Record<State['kind'], Job['kind'] | null>;

export function jobOf(state: State): Job['kind'] | null {
  return state.kind === 'need-reboot' && !state.isAsking ? null : JOB_OF[state.kind];
}
