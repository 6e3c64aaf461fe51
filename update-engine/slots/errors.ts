/** What can go wrong with slots, from finding the disk to the last write. */
import {CodedError} from '../../formats/errors.ts';

export type SlotErrorCode =
  /** /usr of this host does not lie in a slot: started over the network, in a container. */
  | 'no-slot'
  /** A partition or device is not where it should be. */
  | 'bad-disk'
  /** Somebody else has the partition. */
  | 'busy'
  /** The running slot is not yet known to be good: the other one is what the machine would fall back to. */
  | 'not-good'
  /** The slot that runs, or the only one that can be started. */
  | 'last-slot'
  | 'no-room'
  /** What was read back is not what should be there. */
  | 'wrong-content'
  /** The UKI, /usr and the manifest do not belong together. */
  | 'mismatch'
  | 'out-of-bounds'
  | 'write-failed';

export class SlotError extends CodedError<SlotErrorCode> {}
