/** What an error means to the machine, the server and the operator: its stage, its number in the lineage, its kind. */
import {CodedError} from '../../formats/errors.ts';
import {FatError} from '../../formats/fat/boot-sector.ts';
import {ERROR_CODES} from '../../formats/omaha/codes.ts';
import {OmahaError} from '../../formats/omaha/errors.ts';
import {PayloadError} from '../../formats/payload/types.ts';
import {VerityCheckError} from '../../formats/slot/verity-check.ts';
import {HttpError} from '../../platform/http-error.ts';
import type {Failure, Stage, State} from '../machine/states.ts';
import {checkErrorCode, downloadErrorCode, failureKindOf} from '../omaha/error-codes.ts';
import {SlotError, type SlotErrorCode} from '../slots/errors.ts';
import {hintOf} from './hints.ts';

/** A release that is not wanted here, found out after the check: by its signed manifest. */
export class RefusedError extends CodedError<'refused'> {}

/** A failed check, with what the schedule wants to know of it. */
export class CheckError extends CodedError<'check-failed'> {
  readonly number: number;
  /** HTTP status; null when it was not that. */
  readonly status: number | null;

  constructor(number: number, cause: CodedError<string>, status: number | null) {
    super('check-failed', cause.message, {cause, ...(cause.hint === undefined ? {} : {hint: cause.hint})});
    this.number = number;
    this.status = status;
  }
}

const SLOT_CODES = {
  'no-slot': ERROR_CODES.INSTALL_DEVICE_OPEN,
  'bad-disk': ERROR_CODES.INSTALL_DEVICE_OPEN,
  busy: ERROR_CODES.INSTALL_DEVICE_OPEN,
  'not-good': ERROR_CODES.DEFERRED_PER_POLICY,
  'last-slot': ERROR_CODES.DEFERRED_PER_POLICY,
  'no-room': ERROR_CODES.NEW_PARTITION_INFO,
  'wrong-content': ERROR_CODES.NEW_ROOTFS_VERIFICATION,
  mismatch: ERROR_CODES.NEW_PARTITION_INFO,
  'out-of-bounds': ERROR_CODES.NEW_PARTITION_INFO,
  'write-failed': ERROR_CODES.POSTINSTALL_RUNNER,
} as const satisfies Record<SlotErrorCode, number>;

/** For errors of the operating system, which have no numbers of their own there. */
const STAGE_CODES = {
  check: ERROR_CODES.ERROR,
  prepare: ERROR_CODES.INSTALL_DEVICE_OPEN,
  download: ERROR_CODES.DOWNLOAD_WRITE,
  verify: ERROR_CODES.NEW_ROOTFS_VERIFICATION,
  finalize: ERROR_CODES.POSTINSTALL_RUNNER,
} as const satisfies Record<Stage, number>;

export function failureOf(error: unknown, stage: Stage, version: string | null): Failure {
  const message = error instanceof Error ? error.message : String(error);
  const hint = hintOf(error);
  return {stage, message: message.slice(0, 4000), hint, version, ...judge(error, stage)};
}

/** What the machine is in the middle of. */
export function stageOf(state: State): Stage {
  switch (state.kind) {
    case 'available':
      return 'prepare';
    case 'downloading':
      return 'download';
    case 'verifying':
      return 'verify';
    case 'finalizing':
      return 'finalize';
    case 'starting':
    case 'idle':
    case 'on-trial':
    case 'checking':
    case 'reporting-error':
    case 'need-reboot':
      return 'check';
  }
}

function judge(error: unknown, stage: Stage): Pick<Failure, 'code' | 'kind'> {
  if (error instanceof RefusedError) return {code: ERROR_CODES.IGNORED_PER_POLICY, kind: 'policy'};
  if (error instanceof CheckError) return {code: error.number, kind: 'transfer'};
  if (error instanceof HttpError || error instanceof PayloadError) {
    const kind = failureKindOf(error);
    return {code: downloadErrorCode(error), kind: kind === 'other' ? 'local' : kind};
  }
  if (error instanceof OmahaError) return {code: checkErrorCode(error), kind: 'content'};
  if (error instanceof SlotError) {
    const code = SLOT_CODES[error.code];
    return {code, kind: code === ERROR_CODES.DEFERRED_PER_POLICY ? 'policy' : 'local'};
  }
  if (error instanceof FatError) return {code: ERROR_CODES.KERNEL_DEVICE_OPEN, kind: 'local'};
  if (error instanceof VerityCheckError) return {code: ERROR_CODES.NEW_ROOTFS_VERIFICATION, kind: 'content'};
  return {code: STAGE_CODES[stage], kind: 'local'};
}
