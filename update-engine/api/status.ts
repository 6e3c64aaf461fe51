/**
 * The status document: everything that an operator may ask of a host, in one answer. What the status socket gives,
 * what caissonctl prints, and where the metrics come from; described in docs/update-api.md. Fields may be added; those
 * who read it pass over what they do not know.
 */
import {z} from '../../formats/schema.ts';
import {channelStatusSchema} from './channel-status.ts';
import {STAGES, STATUS_NAMES} from '../machine/states.ts';
import {GATE_NAMES} from '../reboot/gate.ts';
import {deniedSchema, pendingSchema, rebootDebtSchema} from '../state/documents.ts';

const text = z.string().max(8192);
/** Milliseconds since 1970. */
const time = z.number().nonnegative();
const letter = z.enum(['A', 'B']);
const count = z.number().nonnegative();

export const statusSchema = z.object({
  format: z.literal(1),
  /** Grows with every change; starts anew with the engine. */
  revision: count,
  /** Of the engine process. */
  engine: z.object({pid: count, startedAt: time}),
  os: z.object({product: text, architecture: text, version: text, buildId: text, channel: text}),
  /** The running slot; null when the host runs from none. */
  slot: letter.nullable(),
  /** Whether the host runs from its boot image, and no slot at all. */
  isLive: z.boolean().default(false),
  /** Whether the running slot was found good; null when that is not known. */
  isGood: z.boolean().nullable(),
  slots: z
    .array(
      z.object({
        letter,
        isRunning: z.boolean(),
        priority: count,
        tries: count,
        successful: z.boolean(),
        partitionGuid: text,
        /** Of what it holds, null when that cannot be read. */
        version: text.nullable(),
        buildId: text.nullable(),
      }),
    )
    .max(2),
  /** What a reboot would start, and why; null when the table cannot be read. */
  nextBoot: z
    .object({kind: z.enum(['boot', 'last-resort', 'none']), slot: letter.nullable(), reason: text})
    .nullable(),
  state: z.enum(STATUS_NAMES),
  stateSince: time,
  /** What the state is about. */
  offer: z.object({version: text, bytes: count}).nullable(),
  progress: z
    .object({
      doneBytes: count,
      totalBytes: count,
      /** Over the last seconds; null until it is known. */
      bytesPerSecond: count.nullable(),
      secondsLeft: count.nullable(),
    })
    .nullable(),
  /** Why nothing more happens, a sentence each without its end; empty when something does. */
  waiting: z.array(text).max(20),
  lastCheck: z
    .object({
      at: time,
      outcome: z.enum(['nothing', 'refused', 'offered', 'failed']),
      version: text.nullable(),
      detail: text,
    })
    .nullable(),
  /**
   * What the server last said it has for this host, wanted here or not: `version` is null when it had nothing newer.
   * Null until it was asked. Questions for a certain version do not count. `hold`: why this host does not get it yet, in
   * the words of the server; null when it does, and from servers that do not say.
   */
  lastOffer: z
    .object({
      at: time,
      version: text.nullable(),
      hold: z
        .object({
          version: text,
          /** A word, such as `pace`; docs/rollout.md has them. */
          reason: text,
          /** In line; 1 is next. */
          position: count.nullable(),
          /** Seconds since 1970, as on the wire. */
          notBefore: count.nullable(),
          detail: text,
        })
        .nullable()
        .default(null),
    })
    .nullable(),
  /** What the signed metadata of the channel says; null until it was looked for. */
  channel: channelStatusSchema.nullable().default(null),
  nextCheckAt: time.nullable(),
  lastUpdate: z
    .object({
      at: time,
      outcome: z.enum(['installed', 'good', 'rolled-back', 'failed', 'dropped']),
      version: text.nullable(),
      detail: text,
    })
    .nullable(),
  lastError: z
    .object({at: time, stage: z.enum(STAGES), code: count, message: text, hint: text.nullable()})
    .nullable(),
  pending: pendingSchema.nullable(),
  denied: deniedSchema.shape.denied,
  config: z.object({
    /** Null with SERVER=disabled, or when none is set. */
    server: text.nullable(),
    group: text,
    pin: text.nullable(),
    highest: text.nullable(),
    allowDowngrade: z.boolean(),
    /** What is wrong in the configuration; the rest of it counts. */
    problems: z.array(text).max(100),
  }),
  disk: z.object({
    /** What is wrong with the partition table and the ESP now. */
    problems: z.array(text).max(20),
    /** What the engine did about the table when it began; null when there was nothing to do. */
    repair: z.object({at: time, outcome: z.enum(['repaired', 'left']), detail: text}).nullable(),
  }),
  strategy: z.object({configured: text, effective: text, note: text.nullable()}),
  reboot: z.object({
    /** Since when a restart is wanted and not happening; null when none is. */
    wantedSince: time.nullable(),
    /** What stands in the way: the first of the gates that is not open. */
    blockedBy: z.enum(GATE_NAMES).nullable(),
    /** What each gate last said, in the order of asking; those that were not asked are not there. */
    gates: z
      .array(
        z.object({
          name: z.enum(GATE_NAMES),
          answer: z.enum(['open', 'closed', 'unknown']),
          detail: text,
          since: time,
        }),
      )
      .max(GATE_NAMES.length),
    /** Whether the windows would allow a restart now, wanted or not. */
    window: z.object({answer: z.enum(['open', 'closed', 'unknown']), detail: text}),
    /** What this host has taken for a restart and not given back. */
    debt: rebootDebtSchema.nullable(),
    /** Why it is not given back yet. */
    owedBecause: text.nullable(),
    /** Times that the lock was asked for since a restart is wanted. */
    lockAttempts: count,
  }),
  /** Of the last run of the health checks. */
  health: z.object({at: time, version: text, outcome: text, failed: z.array(text).max(1000)}).nullable(),
  counters: z.object({checks: count, checkFailures: count, updates: count, updateFailures: count}),
});

export type Status = z.infer<typeof statusSchema>;
export type SlotStatus = Status['slots'][number];
