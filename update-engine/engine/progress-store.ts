/**
 * How far the payload in the idle slot has come, on ROOT, together with the slot that it is about: after a rollback the
 * idle slot is another one, and what was written to the first says nothing about it. Beside it stands what the addresses
 * said of the file (ETag, Last-Modified), so that a later engine can ask for the rest of the same one.
 */
import type {SlotLetter} from '../../formats/gpt/slots.ts';
import type {Validators} from '../../formats/http-ranges.ts';
import {z} from '../../formats/schema.ts';
import type {ProgressKeeper} from '../apply/progress.ts';
import {STATE_FILES} from '../paths.ts';
import type {StateStore} from '../state/store.ts';

export interface ProgressStore extends ProgressKeeper {
  /** What was written is not to be built upon. */
  clear(): Promise<void>;
  /** The same at once, for this run; it stays so once something else was saved. */
  distrust(): void;
  /** What each address said of the file that was begun. */
  sources(): Promise<ReadonlyMap<string, Validators>>;
  /** Kept from the next time on that progress is saved. */
  noteSource(url: string, validators: Validators): void;
}

/** As many addresses as an answer may have. */
const MAX_SOURCES = 32;
const text = z.string().max(2048);

/** What it holds besides the slot is judged by those who wrote it. */
const documentSchema = z.object({
  slot: z.enum(['A', 'B']),
  progress: z.unknown(),
  /** Absent in the documents of releases before it. */
  sources: z
    .array(z.object({url: text, etag: text.nullable(), lastModified: text.nullable()}))
    .max(MAX_SOURCES)
    .default([]),
});

/** `slot` is the idle one; null on a host without slots, where nothing is ever saved. */
export function openProgress(state: StateStore, slot: SlotLetter | null): ProgressStore {
  const noted = new Map<string, Validators>();
  let isDistrusted = false;

  async function read(): Promise<z.infer<typeof documentSchema> | null> {
    const found = await state.read(STATE_FILES.progress, documentSchema);
    return found?.slot === slot ? found : null;
  }

  return {
    async load() {
      return isDistrusted ? null : ((await read())?.progress ?? null);
    },
    async save(progress) {
      const sources = [...noted]
        .map(([url, {etag, lastModified}]) => ({url, etag, lastModified}))
        // What is too long to be kept costs no more than the comparison.
        .filter((source) => text.nullable().array().safeParse(Object.values(source)).success)
        .slice(-MAX_SOURCES);
      await state.write(STATE_FILES.progress, {slot, progress, sources});
      isDistrusted = false;
    },
    async clear() {
      noted.clear();
      await state.remove(STATE_FILES.progress);
    },
    distrust() {
      isDistrusted = true;
    },
    async sources() {
      const kept = (await read())?.sources ?? [];
      return new Map(kept.map(({url, etag, lastModified}) => [url, {etag, lastModified}]));
    },
    noteSource(url, validators) {
      noted.set(url, validators);
    },
  };
}
