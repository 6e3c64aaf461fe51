/** What the status tells of the channel's signed metadata; see docs/channel-metadata.md. */
import {z} from '../../formats/schema.ts';
import {FINDINGS} from '../channel/judge.ts';

const text = z.string().max(8192);
const time = z.number().nonnegative();

export const channelStatusSchema = z.object({
  /** Of the last look. */
  at: time,
  /**
   * `unchecked`: `detail` says why. `current`: signed, and valid then. `doubtful`: a warning. `backwards`: nothing is taken
   * from that server.
   */
  standing: z.enum(['unchecked', 'current', 'doubtful', 'backwards']),
  findings: z.array(z.enum(FINDINGS)).max(10),
  detail: text,
  /** Of the last that was believed; null when none ever was. */
  channel: text.nullable(),
  serial: z.number().nonnegative().nullable(),
  issued: time.nullable(),
  expires: time.nullable(),
  version: text.nullable(),
});
export type ChannelStatus = z.infer<typeof channelStatusSchema>;
