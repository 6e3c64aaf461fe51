/** One of every state and every event of the update engine's machine. */
import type {
  CheckOutcome,
  Event,
  Failure,
  Offer,
  Settings,
  Situation,
  State,
  Target,
  Wish,
} from '../../update-engine/machine/states.ts';
import {TIMER_WISH} from '../../update-engine/machine/states.ts';
import type {Pending} from '../../update-engine/state/documents.ts';

export const ROOT_GUID = '01234567-89ab-cdef-0123-456789abcdef';

export const PENDING: Pending = {
  version: '2.0.0',
  buildId: 'b2',
  slot: 'B',
  partitionGuid: ROOT_GUID,
  previousVersion: '1.0.0',
  previousBuildId: 'b1',
  previousSlot: 'A',
  followsChannel: true,
  installedAt: 1_800_000_000_000,
};

export const OPERATOR_WISH: Wish = {by: 'operator', install: true, version: null, payloadPath: null};
export const LOOK_WISH: Wish = {...OPERATOR_WISH, install: false};
export const FILE_WISH: Wish = {...OPERATOR_WISH, payloadPath: '/var/update.payload'};

export const OFFER: Offer = {
  version: '2.0.0',
  bytes: 1000,
  source: {kind: 'file', path: '/var/update.payload'},
  wish: FILE_WISH,
};
export const TARGET: Target = {
  version: '2.0.0',
  slot: 'B',
  kind: 'update',
  isUrgent: false,
  followsChannel: true,
};
export const BACK: Target = {
  version: '0.9.0',
  slot: 'B',
  kind: 'rollback',
  isUrgent: false,
  followsChannel: false,
};
export const IMAGE: Target = {
  version: '2.0.0',
  slot: null,
  kind: 'image',
  isUrgent: false,
  followsChannel: true,
};
export const NEWER_IMAGE = {kind: 'newer-image', version: '2.0.0', detail: 'a newer boot image'} as const;
export const FAILURE: Failure = {
  stage: 'download',
  message: 'it broke off',
  hint: null,
  code: 9,
  kind: 'transfer',
  version: '2.0.0',
};

export const SITUATIONS: readonly Situation[] = [
  {kind: 'ordinary'},
  {kind: 'on-trial', pending: PENDING},
  {kind: 'on-trial', pending: null},
  {kind: 'confirmed', pending: PENDING},
  {kind: 'rolled-back', pending: PENDING, reason: 'it did not come up'},
  {kind: 'abandoned', pending: PENDING, reason: 'never made next'},
  {kind: 'awaiting-reboot', target: TARGET},
  {kind: 'awaiting-reboot', target: BACK},
];

export const OUTCOMES: readonly CheckOutcome[] = [
  {kind: 'nothing', detail: 'nothing newer'},
  {kind: 'refused', version: '2.0.0', detail: 'denied'},
  {kind: 'offered', offer: OFFER},
  NEWER_IMAGE,
];

export const STATES: readonly State[] = [
  {kind: 'starting'},
  {kind: 'idle'},
  {kind: 'on-trial', pending: PENDING},
  {kind: 'on-trial', pending: null},
  {kind: 'checking', wish: TIMER_WISH},
  {kind: 'checking', wish: LOOK_WISH},
  {kind: 'available', offer: OFFER},
  {kind: 'downloading', offer: OFFER},
  {kind: 'verifying', offer: OFFER},
  {kind: 'finalizing', offer: OFFER},
  {kind: 'reporting-error', failure: FAILURE},
  {kind: 'need-reboot', target: TARGET, isAsking: false},
  {kind: 'need-reboot', target: TARGET, isAsking: true},
  {kind: 'need-reboot', target: BACK, isAsking: false},
  {kind: 'need-reboot', target: IMAGE, isAsking: false},
  {kind: 'need-reboot', target: IMAGE, isAsking: true},
];

export const EVENTS: readonly Event[] = [
  ...SITUATIONS.map((situation) => ({kind: 'booted', situation}) as const),
  {kind: 'became-good'},
  ...[TIMER_WISH, OPERATOR_WISH, LOOK_WISH, FILE_WISH].map((wish) => ({kind: 'woken', wish}) as const),
  ...OUTCOMES.map((outcome) => ({kind: 'checked', outcome}) as const),
  {kind: 'looked', outcome: {kind: 'nothing', detail: 'nothing newer'}},
  {kind: 'looked', outcome: NEWER_IMAGE},
  {kind: 'looked', outcome: {kind: 'withdrawn', detail: 'offered no more'}},
  {kind: 'prepared'},
  {kind: 'applied'},
  {kind: 'verified'},
  {kind: 'committed', target: TARGET},
  {kind: 'failed', failure: FAILURE},
  {kind: 'failed', failure: {...FAILURE, kind: 'policy'}},
  {kind: 'reported'},
  {kind: 'reset'},
  {kind: 'reboot-asked', target: BACK},
  {kind: 'reboot-due'},
];

export const SETTINGS: Settings = {hasServer: true};
