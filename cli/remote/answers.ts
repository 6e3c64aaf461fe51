/** What a release server answers, as far as the commands look at it. */
import {z} from '../../formats/schema.ts';

const time = z.number();

export const channelSchema = z.object({
  name: z.string(),
  version: z.string().nullable(),
  allowDowngrade: z.boolean(),
  promotedAt: time,
});
export const channelsSchema = z.object({channels: z.array(channelSchema)});
export const promotedSchema = z.object({
  channel: z.string(),
  version: z.string(),
  sha256: z.string(),
  bytes: z.number(),
});
export const historySchema = z.object({
  promotions: z.array(z.object({version: z.string(), allowDowngrade: z.boolean(), at: time, by: z.string()})),
});

export const releaseSchema = z.object({
  version: z.string(),
  bytes: z.number(),
  sha256: z.string(),
  publishedAt: time,
  publishedBy: z.string(),
  signedBy: z.string(),
  isWithdrawn: z.boolean(),
  withdrawnWhy: z.string(),
});
export type PublishedRelease = z.infer<typeof releaseSchema>;
export const releasesSchema = z.object({
  releases: z.array(releaseSchema.extend({channels: z.array(z.string())})),
});
export const receivedSchema = z.object({received: z.int().nonnegative()});

export const groupSchema = z.object({
  name: z.string(),
  id: z.string(),
  channel: z.string(),
  policy: z.record(z.string(), z.unknown()),
  rollout: z.object({
    state: z.object({
      target: z.object({version: z.string()}).nullable(),
      startedAt: time,
      stopped: z.object({kind: z.string(), at: time, reason: z.string()}).nullable(),
    }),
    counts: z.record(z.string(), z.number()),
    inFlight: z.number(),
    outcomes: z.record(z.string(), z.number()),
  }),
});
export type GroupAnswer = z.infer<typeof groupSchema>;
export const groupsSchema = z.object({groups: z.array(groupSchema)});

const instanceSchema = z.object({
  id: z.string(),
  alias: z.string(),
  group: z.string(),
  version: z.string(),
  state: z.string(),
  target: z.string().nullable(),
  progressAt: time,
  lastSeenAt: time,
  firstSeenAt: time,
  setbacks: z.number(),
  oem: z.string(),
  oemVersion: z.string(),
  alephVersion: z.string(),
  board: z.string(),
});
export const instancesSchema = z.object({
  instances: z.array(instanceSchema),
  total: z.number(),
  next: z.string().nullable(),
});
export const timelineSchema = instanceSchema.extend({
  timeline: z.array(z.object({at: time, version: z.string(), text: z.string()})),
});

export const tokensSchema = z.object({
  tokens: z.array(
    z.object({name: z.string(), role: z.string(), createdAt: time, revokedAt: time.nullable()}),
  ),
});
export const newTokenSchema = z.object({name: z.string(), role: z.string(), token: z.string()});
