/**
 * The documents that the engine and the health check leave for each other, and for the next boot. Fields that this
 * version does not know are passed over: the system that wrote them may have been rolled back.
 */
import {z} from '../../formats/schema.ts';

const text = z.string().max(4096);
const time = z.int().nonnegative();

/** Written before the one GPT write that makes the slot next; removed once the slot is good or was given up. */
export const pendingSchema = z.object({
  version: text,
  buildId: text,
  slot: z.enum(['A', 'B']),
  /** Of the USR partition, which follows the root hash: tells this release from another of the same version. */
  partitionGuid: text,
  previousVersion: text,
  previousBuildId: text,
  previousSlot: z.enum(['A', 'B']),
  /** Milliseconds since 1970. */
  installedAt: time,
  /** Installed because the channel offers it, not because an operator named it or handed over a file. */
  followsChannel: z.boolean().default(false),
});

export const deniedSchema = z.object({
  denied: z
    .array(
      z.object({
        version: text,
        /** Null when a person denied it. */
        buildId: text.nullable(),
        reason: text,
        at: time,
      }),
    )
    .max(1000),
});

export const healthSchema = z.object({
  version: text,
  buildId: text,
  slot: z.enum(['A', 'B']),
  bootId: text,
  at: time,
  outcome: z.enum(['good', 'failed', 'gave-up']),
  /** Every check, in order. */
  checks: z.array(z.object({name: text, passed: z.boolean(), detail: text, seconds: z.number()})).max(1000),
});

/** What a host took for a reboot and must give back: see reboot/memo.ts. */
export const rebootDebtSchema = z.object({
  lock: z.enum(['none', 'etcd-lock', 'fleet-lock']),
  /** `rolled-back`: the release was bad, and the slot is kept so that no other host takes it. */
  purpose: z.enum(['restart', 'rolled-back']),
  version: text,
  previousVersion: text,
  reason: text,
  askedAt: time,
  /** Null while the lock was only asked for: it may be held all the same, by an answer that was lost. */
  heldSince: time.nullable(),
  /** Whether pre-reboot hooks may have run, and post-good ones are due. */
  hooksRan: z.boolean(),
});

export type Pending = z.infer<typeof pendingSchema>;
export type Denied = z.infer<typeof deniedSchema>['denied'][number];
export type RebootDebt = z.infer<typeof rebootDebtSchema>;
export type HealthReport = z.infer<typeof healthSchema>;
