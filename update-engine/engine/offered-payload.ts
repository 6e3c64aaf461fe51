/**
 * The payload that an offer names, for one installation: a file, or what its addresses give, whose worth is remembered
 * from one try to the next.
 */
import {withFiles} from '../../platform/file-exchange.ts';
import type {HttpExchange} from '../../platform/http.ts';
import {createRateLimit} from '../../platform/rate-limit.ts';
import type {Offer} from '../machine/states.ts';
import {payloadStateFor, payloadStateSchema} from '../omaha/payload-policy.ts';
import {type PayloadSource, openPayload, tryEachAddress} from '../omaha/payload-source.ts';
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
  const {journal, state} = tools;
  const payload = await openOffered(offer, http, tools);
  // Within a download it is enough to remember.
  const save = (): Promise<void> => state.write(STATE_FILES.payload, payload.known());
  try {
    const result = await tryEachAddress(
      payload,
      (text) => journal.warn(text),
      () => use((offset, signal) => payload.open(offset, signal)),
    );
    payload.accept();
    await save();
    return result;
  } catch (error) {
    await save().catch(() => undefined);
    throw error;
  }
}

async function openOffered(
  offer: ServedOffer,
  http: HttpExchange,
  {clock, random, journal, conf, state, progress}: Tools,
): Promise<PayloadSource> {
  const {settings} = conf.current();
  const sleep = (ms: number, signal: AbortSignal): Promise<void> => clock.sleep(ms, signal);
  const bytesPerSecond = settings.downloadBytesPerSecond;
  return openPayload({
    ...{http, offer, random, sleep},
    state: payloadStateFor(offer, await state.read(STATE_FILES.payload, payloadStateSchema)),
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
