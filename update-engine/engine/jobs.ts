/** The three jobs of the machine, with all they need of the world. Each gives the event that ends it, or throws. */
import {EVENT_RESULTS, EVENT_TYPES} from '../../formats/omaha/codes.ts';
import type {ServerSetting} from '../../formats/update-conf-values.ts';
import {withFiles} from '../../platform/file-exchange.ts';
import type {HttpExchange} from '../../platform/http.ts';
import {type Candidate, type HostFacts, decide} from '../decide.ts';
import {
  type CheckOutcome,
  type Event,
  type Failure,
  type Job,
  type Offer,
  TIMER_WISH,
  type Target,
  type Wish,
} from '../machine/states.ts';
import {payloadStateSchema} from '../omaha/payload-policy.ts';
import {STATE_FILES} from '../paths.ts';
import {SlotError} from '../slots/errors.ts';
import type {Board} from './board.ts';
import {type CheckContext, type Checked, checkFile, checkServer, lookAtServer, policyOf} from './check.ts';
import {createChannelWatch} from './channel-watch.ts';
import {checkStatic, lookAtStatic} from './check-static.ts';
import {CheckError, RefusedError} from './failure.ts';
import {httpOptions, omahaHost} from './host-facts.ts';
import {install} from './install.ts';
import {withPayload} from './offered-payload.ts';
import type {EngineParts} from './parts.ts';
import type {Planner} from './planner.ts';
import type {ProgressStore} from './progress-store.ts';
import {readTrustedKeys} from './trust.ts';

export interface JobTools extends EngineParts {
  board: Board;
  planner: Planner;
  progress: ProgressStore;
  stagedUki: string;
}

/** How long a failure may be told to the server before the engine goes on; the queue keeps what was not told. */
const REPORT_MS = 10_000;

/** Of the kinds that can be asked. */
type Server = Exclude<ServerSetting, {kind: 'disabled'}>;

export async function runJob(
  job: Job,
  tools: JobTools,
  tell: (event: Event) => void,
  signal: AbortSignal,
): Promise<Event> {
  switch (job.kind) {
    case 'check':
      return check(job.wish, tools, signal);
    case 'install':
      return installOffer(job.offer, tools, tell, signal);
    case 'report-failure':
      return reportFailure(job.failure, tools);
    case 'look':
      return look(job.target, tools, signal);
  }
}

async function contextOf(tools: JobTools, signal: AbortSignal): Promise<CheckContext> {
  const {conf, identity, history, clock} = tools;
  const {settings} = conf.current();
  return {
    conf: conf.current(),
    host: omahaHost(identity, settings, history.read()),
    facts: await readFacts(tools),
    wasUpdated: history.read().lastUpdate !== null,
    payload: await tools.state.read(STATE_FILES.payload, payloadStateSchema),
    channel: createChannelWatch(tools, signal),
    now: clock.now(),
    signal,
  };
}

async function check(wish: Wish, tools: JobTools, signal: AbortSignal): Promise<Event> {
  const context = await contextOf(tools, signal);
  if (wish.payloadPath !== null) {
    const keys = await readTrustedKeys(tools.paths.keys);
    const {outcome} = await checkFile(wish.payloadPath, wish, keys, context);
    return {kind: 'checked', outcome};
  }
  return askServer(tools, {kind: 'checked'}, (http, server) =>
    tools.bootImage === undefined
      ? ask(http, server, wish, context)
      : checkForImage(tools, http, server, wish, context),
  );
}

function ask(http: HttpExchange, server: Server, wish: Wish, context: CheckContext): Promise<Checked> {
  return server.kind === 'url'
    ? checkServer(http, server.url, wish, context)
    : checkStatic(http, wish, context);
}

/** On a host that runs from its boot image an offer is news, and nothing to install. */
async function checkForImage(
  {identity}: JobTools,
  http: HttpExchange,
  server: Server,
  wish: Wish,
  context: CheckContext,
): Promise<Checked<Exclude<CheckOutcome, {kind: 'offered'}>>> {
  const {outcome, ...rest} = await ask(http, server, wish, context);
  if (outcome.kind !== 'offered') return {...rest, outcome};
  const {version} = outcome.offer;
  const detail = `a newer boot image is available: ${version}, and this host runs that of ${identity.version}`;
  return {...rest, outcome: {kind: 'newer-image', version, detail}};
}

async function look(target: Target, tools: JobTools, signal: AbortSignal): Promise<Event> {
  const {conf, identity, history, clock} = tools;
  if (target.kind === 'image') {
    const context = await contextOf(tools, signal);
    return askServer(tools, {kind: 'looked'}, (http, server) =>
      checkForImage(tools, http, server, TIMER_WISH, context),
    );
  }
  const host = omahaHost(identity, conf.current().settings, history.read());
  const channel = createChannelWatch(tools, signal);
  const context = {conf: conf.current(), host, now: clock.now(), signal, channel};
  return askServer(tools, {kind: 'looked'}, (http, server) =>
    server.kind === 'url'
      ? lookAtServer(http, server.url, target, context)
      : lookAtStatic(http, target, context),
  );
}

/** What is the same for everything that is asked: the connection, the schedule, and what is known of the offer. */
async function askServer<Kind extends 'checked' | 'looked', Outcome>(
  tools: JobTools,
  {kind}: {kind: Kind},
  question: (http: HttpExchange, server: Server) => Promise<Checked<Outcome>>,
): Promise<{kind: Kind; outcome: Outcome | {kind: 'nothing'; detail: string}}> {
  const {planner, conf, history, clock, journal} = tools;
  const {settings} = conf.current();
  if (settings.server.kind === 'disabled')
    return {kind, outcome: {kind: 'nothing', detail: settings.server.reason}};
  const http = tools.createHttp(await httpOptions(settings));
  try {
    const {outcome, pollSeconds, onOffer} = await question(withFiles(http), settings.server);
    planner.noteCheck({status: null, pollSeconds});
    if (onOffer !== null) {
      await history
        .change({lastOffer: {at: clock.now(), ...onOffer}})
        .catch((error: unknown) => journal.warn(`what is offered was not recorded: ${String(error)}`));
    }
    return {kind, outcome};
  } catch (error) {
    if (error instanceof CheckError) planner.noteCheck({status: error.status, pollSeconds: null});
    throw error;
  } finally {
    await http.close();
  }
}

async function installOffer(
  offer: Offer,
  tools: JobTools,
  tell: (event: Event) => void,
  signal: AbortSignal,
): Promise<Event> {
  const {slots, paths, identity, state, clock, board, conf} = tools;
  const {place} = slots;
  if (place === null) throw new SlotError('no-slot', slots.absence ?? 'this host does not run from a slot');
  const facts = await readFacts(tools);
  const policy = policyOf(conf.current(), offer.wish);
  const followsChannel = offer.source.kind === 'server' && offer.wish.version === null;
  const keys = await readTrustedKeys(paths.keys);
  await withPayload(offer.source, tools, async (open) => {
    const checked = await install({
      place,
      keys,
      open,
      expected:
        offer.source.kind === 'server'
          ? {bytes: offer.source.offer.bytes, sha256: Buffer.from(offer.source.offer.sha256, 'hex')}
          : null,
      accept: (candidate) => requireWanted(candidate, offer, facts, policy),
      stagedUki: tools.stagedUki,
      progress: tools.progress,
      randomGuid: tools.randomGuid,
      now: clock.now(),
      clock: () => clock.now(),
      signal,
      onStage: (kind) => tell({kind}),
      onProgress: (done) => board.setProgress(done, clock.now()),
      beforeCommit: ({version, buildId, partitionGuid}) =>
        state.setPending({
          version,
          buildId,
          slot: place.idle,
          partitionGuid,
          previousVersion: identity.version,
          previousBuildId: identity.buildId,
          previousSlot: place.active,
          installedAt: clock.now(),
          followsChannel,
        }),
    });
    return checked;
  });
  return {
    kind: 'committed',
    target: {version: offer.version, slot: place.idle, kind: 'update', isUrgent: false, followsChannel},
  };
}

/** The signed manifest has the last word, also about being what the server said it is. */
function requireWanted(
  candidate: Candidate,
  offer: Offer,
  facts: HostFacts,
  policy: ReturnType<typeof policyOf>,
): void {
  if (candidate.version !== offer.version) {
    throw new RefusedError(
      'refused',
      `the payload is of ${candidate.version}, and ${offer.version} was announced`,
    );
  }
  const decision = decide(candidate, facts, policy);
  if (decision.kind === 'refuse') throw new RefusedError('refused', decision.reason);
}

async function reportFailure(failure: Failure, {reporter}: JobTools): Promise<Event> {
  const {stage, kind, code} = failure;
  // A server that cannot be reached need not be told so; and what an operator stopped is no failure.
  const isWorthIt = kind !== 'cancelled' && !(stage === 'check' && kind !== 'content');
  if (isWorthIt) {
    const result = kind === 'policy' ? EVENT_RESULTS.DEFERRED : EVENT_RESULTS.ERROR;
    await reporter.add({type: EVENT_TYPES.UPDATE_COMPLETE, result, errorCode: code, previousVersion: null});
    await reporter.drain(REPORT_MS);
  }
  return {kind: 'reported'};
}

export async function readFacts({identity, slots, state, bootImage}: EngineParts): Promise<HostFacts> {
  const {product, architecture, version, sourceDate} = identity;
  const releases = bootImage === undefined ? await slots.releases() : null;
  const denied = await state.denied();
  return {product, architecture, version, sourceDate, slots: releases, denied};
}
