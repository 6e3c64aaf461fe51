/** Channels: which release alpha, beta and stable point to, and pointed to before; pure, as a value. */
import {describeIssues, z} from '../formats/schema.ts';
import {compareVersions, isVersion} from '../formats/version.ts';
import {ServerError} from './errors.ts';

export const CHANNEL_NAMES = ['alpha', 'beta', 'stable'] as const;
export type ChannelName = (typeof CHANNEL_NAMES)[number];

/** So many promotions are remembered, for hosts that are pinned to an older series. */
const MAX_PAST = 100;

const version = z.string().refine(isVersion, 'not a version');
const channelSchema = z.strictObject({
  version,
  /** Milliseconds since 1970. */
  promotedAt: z.int().nonnegative(),
  /** Whether hosts that run a newer release are offered this one. Each host must allow it as well. */
  allowDowngrade: z.boolean(),
  /** What the channel pointed to before, newest first. */
  past: z.array(version).max(MAX_PAST),
});
const documentSchema = z.strictObject({
  format: z.literal('caisson-channels-1'),
  channels: z.strictObject({
    alpha: channelSchema.optional(),
    beta: channelSchema.optional(),
    stable: channelSchema.optional(),
  }),
});

export type Channel = z.infer<typeof channelSchema>;
/** A channel without a release is absent. */
export type Channels = Readonly<Partial<Record<ChannelName, Channel>>>;

/** Names that CoreOS hosts of the first years have as their group: ids of alpha, beta and stable on amd64. */
const LEGACY_GROUPS: ReadonlyMap<string, ChannelName> = new Map([
  ['5b810680-e36a-4879-b98a-4f989e80b899', 'alpha'],
  ['3fe10490-dd73-4b49-b72a-28ac19acfcdc', 'beta'],
  ['9a2deb70-37be-4026-853f-bfdd6b347bbe', 'stable'],
]);

/** The channel that a host follows, by name or by an id of old; null when there is none of that name. */
export function channelOfTrack(track: string): ChannelName | null {
  const name = track.toLowerCase().replaceAll(/[{}]/g, '');
  return CHANNEL_NAMES.find((each) => each === name) ?? LEGACY_GROUPS.get(name) ?? null;
}

/** Throws ServerError 'bad-channels'. */
export function parseChannels(json: string, path: string): Channels {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (error) {
    throw new ServerError('bad-channels', `${path} is not JSON: ${(error as Error).message}`, {cause: error});
  }
  const result = documentSchema.safeParse(value);
  if (!result.success)
    throw new ServerError('bad-channels', `${path} does not tell channels: ${describeIssues(result.error)}`);
  return result.data.channels;
}

export function formatChannels(channels: Channels): string {
  return `${JSON.stringify({format: 'caisson-channels-1', channels}, undefined, 2)}\n`;
}

export interface Promotion {
  readonly version: string;
  readonly channel: ChannelName;
  readonly allowDowngrade: boolean;
  /** Milliseconds since 1970. */
  readonly at: number;
}

/** The channels with one of them pointing elsewhere. Throws ServerError 'older' when that is backwards and not meant. */
export function promote(
  channels: Channels,
  {version: next, channel, allowDowngrade, at}: Promotion,
): Channels {
  const before = channels[channel];
  if (before !== undefined && compareVersions(next, before.version) < 0 && !allowDowngrade) {
    throw new ServerError('older', `${channel} is at ${before.version}, and ${next} is older`, {
      hint: 'with --allow-downgrade it is offered to hosts that run a newer one, as far as they allow it',
    });
  }
  const past = [...(before === undefined ? [] : [before.version, ...before.past])];
  return {
    ...channels,
    [channel]: {
      version: next,
      promotedAt: at,
      allowDowngrade,
      past: [...new Set(past)].filter((each) => each !== next).slice(0, MAX_PAST),
    },
  };
}
