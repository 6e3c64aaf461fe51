/**
 * The payload that an offer names, for one installation: a file, or what its addresses give. Keeps count of what each
 * address was worth, and begins again from the next one when the bytes of one are wrong, so that one bad mirror is no
 * failed update.
 */
import {withFiles} from '../../platform/file-exchange.ts';
import type {HttpExchange} from '../../platform/http.ts';
import {HttpError} from '../../platform/http-error.ts';
import {createRateLimit} from '../../platform/rate-limit.ts';
import type {Offer} from '../machine/states.ts';
import {failureKindOf} from '../omaha/error-codes.ts';
import {
  type PayloadState,
  afterDownload,
  afterFailure,
  currentUrl,
  payloadStateFor,
  payloadStateSchema,
} from '../omaha/payload-policy.ts';
import {type PayloadSource, openPayload} from '../omaha/payload-source.ts';
import {STATE_FILES} from '../paths.ts';
import {httpOptions} from './host-facts.ts';
import type {EngineParts} from './parts.ts';
import {readPayloadFile} from './payload-file.ts';
import type {ProgressStore} from './progress-store.ts';

type Tools = EngineParts & {progress: ProgressStore};
type Open = PayloadSource['open'];
type ServedOffer = Extract<Offer['source'], {kind: 'server'}>['offer'];

/** `use` may be called more than once. Throws what it threw last. */
export async function withPayload<T>(
  source: Offer['source'],
  tools: Tools,
  use: (open: Open) => Promise<T>,
): Promise<T> {
  if (source.kind === 'file') return use((offset, signal) => readPayloadFile(source.path, offset, signal));
  const http = tools.createHttp(await httpOptions(tools.conf.current().settings));
  try {
    return await downloading(source.offer, withFiles(http), tools, use);
  } finally {
    await http.close();
  }
}

async function downloading<T>(
  offer: ServedOffer,
  http: HttpExchange,
  tools: Tools,
  use: (open: Open) => Promise<T>,
): Promise<T> {
  const {clock, random, journal, state} = tools;
  let known = payloadStateFor(offer, await state.read(STATE_FILES.payload, payloadStateSchema));
  const save = (next: PayloadState): Promise<void> => state.write(STATE_FILES.payload, (known = next));
  for (;;) {
    const payload = await openOffered(offer, http, tools, known, (next) => (known = next));
    try {
      const result = await use((offset, signal) => payload.open(offset, signal));
      await save(afterDownload(known, clock.now(), random()));
      return result;
    } catch (error) {
      // The source has counted failures of the transfer itself; bytes that are wrong it cannot know about.
      const kind = error instanceof HttpError ? 'other' : failureKindOf(error);
      const {attempts} = known;
      await save(afterFailure(known, offer, kind, clock.now(), random())).catch(() => undefined);
      // A new attempt is one for which every address had its turn.
      if (kind !== 'content' || known.attempts > attempts) throw error;
      journal.warn(`${(error as Error).message}; again, from ${currentUrl(known, offer)}`);
    }
  }
}

/** `onState` hears what becomes of the addresses: within a download it is enough to remember. */
async function openOffered(
  offer: ServedOffer,
  http: HttpExchange,
  {clock, random, journal, conf, progress}: Tools,
  state: PayloadState,
  onState: (next: PayloadState) => void,
): Promise<PayloadSource> {
  const {settings} = conf.current();
  const sleep = (ms: number, signal: AbortSignal): Promise<void> => clock.sleep(ms, signal);
  const bytesPerSecond = settings.downloadBytesPerSecond;
  return openPayload({
    ...{http, offer, state, onState, random, sleep},
    credentials: settings.credentials,
    limit: bytesPerSecond === null ? null : createRateLimit({bytesPerSecond, now: () => clock.now(), sleep}),
    before: await progress.sources(),
    onSeen: (url, validators) => progress.noteSource(url, validators),
    onChanged(text) {
      journal.warn(`${text}; the download starts over`);
      progress.distrust();
    },
    onRetry: (text) => journal.warn(text),
    now: () => clock.now(),
  });
}
