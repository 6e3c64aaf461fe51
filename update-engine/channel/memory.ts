/**
 * What a host remembers of the channels that it follows, or followed: without it a mirror could show an old file that was
 * once signed. On the disk before anything is decided by it.
 */
import {recallChannel} from '../../formats/channel-metadata/channel-file.ts';
import {MAX_DOCUMENT_BYTES} from '../../formats/channel-metadata/envelope.ts';
import {ChannelMetadataError} from '../../formats/channel-metadata/errors.ts';
import {z} from '../../formats/schema.ts';
import {STATE_FILES} from '../paths.ts';
import type {StateStore} from '../state/store.ts';
import type {Seen} from './judge.ts';

/** A host that is moved to another group and back must not forget meanwhile. */
const MAX_FOLLOWED = 3;

const memorySchema = z.object({
  /** Latest first. */
  seen: z
    .array(z.object({follower: z.string().max(64), text: z.string().max(MAX_DOCUMENT_BYTES)}))
    .max(MAX_FOLLOWED),
});
type Memory = z.infer<typeof memorySchema>;

export interface ChannelMemory {
  recall(follower: string): Promise<Seen | null>;
  /** Durable when it returns. */
  remember(follower: string, seen: Seen): Promise<void>;
  /** Gives how many channels were known. */
  forget(): Promise<number>;
}

export function openChannelMemory(state: StateStore, warn: (text: string) => void): ChannelMemory {
  async function read(): Promise<Memory['seen']> {
    return (await state.read(STATE_FILES.channel, memorySchema))?.seen ?? [];
  }

  return {
    async recall(follower) {
      const found = (await read()).find((each) => isSame(each.follower, follower));
      if (found === undefined) return null;
      try {
        return recallChannel(found.text);
      } catch (error) {
        // A later version of this program may have written it, and may have been rolled back.
        if (!(error instanceof ChannelMetadataError)) throw error;
        warn(`what was seen of channel ${follower} is forgotten: ${error.message}`);
        return null;
      }
    },
    async remember(follower, {text}) {
      const before = await read();
      const [first] = before;
      if (first !== undefined && isSame(first.follower, follower) && first.text === text) return;
      const others = before.filter((each) => !isSame(each.follower, follower));
      await state.write(STATE_FILES.channel, {seen: [{follower, text}, ...others].slice(0, MAX_FOLLOWED)});
    },
    async forget() {
      const {length} = await read();
      await state.remove(STATE_FILES.channel);
      return length;
    },
  };
}

function isSame(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}
