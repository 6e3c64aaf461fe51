/** What hosts and operators did to a reboot lock, and what they were told, by one clock that only goes forward. */
interface Deed {
  /** The one connection that asked: a host between two of its restarts, or an operator. */
  readonly actor: string;
  /** When it was asked for, and when the answer was there; milliseconds. */
  readonly from: number;
  readonly to: number;
}

/** What an answer told of the lock, true at some moment between `from` and `to`. */
export interface Sight {
  readonly max: number;
  readonly holders: readonly string[];
  /** Of the asking host among those that wait. */
  readonly position: number | null;
  readonly waiting: number | null;
}

/** `unknown`: an error, after which it may have been done, or may still be. */
export type Operation =
  | (Deed & {readonly kind: 'acquire'; readonly host: string; readonly outcome: 'held' | 'unknown'})
  | (Deed & {
      readonly kind: 'acquire';
      readonly host: string;
      readonly outcome: 'full';
      readonly sight: Sight;
    })
  | (Deed & {
      /** By the host itself, or by an operator who frees it. */
      readonly kind: 'release';
      readonly host: string;
      readonly outcome: 'released' | 'not-held' | 'unknown';
    })
  | (Deed & {readonly kind: 'set-max'; readonly max: number; readonly outcome: 'set' | 'unknown'});

export type HostOperation = Extract<Operation, {host: string}>;

export interface History {
  readonly initialMax: number;
  readonly operations: readonly Operation[];
  /** What lay in etcd when all was quiet again. */
  readonly final: {readonly max: number; readonly holders: readonly string[]};
}
