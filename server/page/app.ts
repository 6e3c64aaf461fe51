/**
 * The page of the release server as routes: who asks, what they may see or do, and which view shows it. Everything but
 * signing in needs a session; everything that changes something is a form with the session's token.
 */
import {CodedError} from '../../formats/errors.ts';
import {compareVersions, isVersion} from '../../formats/version.ts';
import type {ServerAnswer} from '../../platform/http-server-answer.ts';
import type {ServerRequest} from '../../platform/http-server.ts';
import type {ApiTools} from '../api/tools.ts';
import type {Route} from '../route.ts';
import {type Action, act} from './actions.ts';
import {page, redirect, secured} from './answers.ts';
import type {Assets} from './assets.ts';
import type {PageData} from './data.ts';
import type {Feed} from './feed.ts';
import type {Guard, Visitor} from './guard.ts';
import {decodePart, readDestination, readForm, readInstanceQuery, readRange} from './input.ts';
import {PAGE_PREFIX, type Page, groupHref, renderPage} from './layout.ts';
import type {Viewer} from './model.ts';
import {isCsrfOf, isFromHere} from './session.ts';
import {groupPage} from './views/group.ts';
import {instancePage} from './views/instance.ts';
import {instancesPage} from './views/instances.ts';
import {overviewPage} from './views/overview.ts';
import {problemPage} from './views/problem.ts';
import {promotePage} from './views/promote.ts';
import {releasePage} from './views/release.ts';
import {releasesPage} from './views/releases.ts';
import {signInPage} from './views/sign-in.ts';

export interface PageTools {
  readonly data: PageData;
  readonly guard: Guard;
  readonly feed: Feed;
  readonly assets: Assets;
  readonly api: ApiTools;
  readonly publicUrl: string | null;
}

/** A page to show, with its status where that is not 200, or an answer of another kind. */
type Reply = Page | {readonly status: number; readonly page: Page} | {readonly answer: ServerAnswer};

interface Visit {
  readonly request: ServerRequest;
  readonly visitor: Visitor;
  readonly viewer: Viewer;
  readonly now: number;
}

type Show = (visit: Visit, part: string) => Promise<Reply>;
type Change = (visit: Visit, part: string, form: URLSearchParams) => Promise<Reply>;

const MISSING = problemPage('Not here', 'There is no such page.');
const PART = '([^/]{1,400})';
const NO_STREAMS: ServerAnswer = {
  status: 503,
  headers: {'retry-after': '30', 'content-type': 'text/plain; charset=utf-8'},
  body: Buffer.from('too many pages are open\n'),
};

export function pageRoutes(tools: PageTools): readonly Route[] {
  const {data, guard, feed, assets, api, publicUrl} = tools;

  const shown = (status: number, content: Page, viewer: Viewer | null): ServerAnswer =>
    secured(page(status, renderPage(content, {viewer, assets: assets.hrefs})));

  function answerOf(reply: Reply, viewer: Viewer): ServerAnswer {
    if ('answer' in reply) return secured(reply.answer);
    return 'status' in reply ? shown(reply.status, reply.page, viewer) : shown(200, reply, viewer);
  }

  async function enter(request: ServerRequest): Promise<Visit | null> {
    const visitor = await guard.visitorOf(request);
    if (visitor === null) return null;
    const {token, csrf} = visitor;
    return {request, visitor, viewer: {name: token.name, role: token.role, csrf}, now: api.now()};
  }

  async function replyTo(visit: Visit, reply: () => Promise<Reply>): Promise<ServerAnswer> {
    try {
      return answerOf(await reply(), visit.viewer);
    } catch (error) {
      if (!(error instanceof CodedError)) throw error;
      return shown(409, problemPage('That did not work', sentence(error.message), error.hint), visit.viewer);
    }
  }

  const get = (path: string, show: Show): Route => ({
    methods: ['GET', 'HEAD'],
    pattern: new RegExp(`^${PAGE_PREFIX}${path}$`),
    async answer(request, [given = '']) {
      const visit = await enter(request);
      if (visit === null) {
        const to = request.path + (request.query === '' ? '' : `?${request.query}`);
        return secured(redirect(`${PAGE_PREFIX}sign-in?${new URLSearchParams({to}).toString()}`));
      }
      const part = decodePart(given);
      return replyTo(visit, async () => (part === null ? {status: 404, page: MISSING} : show(visit, part)));
    },
  });

  const post = (path: string, change: Change): Route => ({
    methods: ['POST'],
    pattern: new RegExp(`^${PAGE_PREFIX}${path}$`),
    async answer(request, [given = '']) {
      const visit = await enter(request);
      if (visit === null) return secured(redirect(`${PAGE_PREFIX}sign-in`));
      const form = readForm(request);
      const isMeant =
        form !== null &&
        isFromHere(request, publicUrl) &&
        isCsrfOf(visit.visitor.sessionId, form.get('csrf') ?? '');
      if (!isMeant)
        return shown(
          403,
          problemPage(
            'Refused',
            'This did not come from a page of this server.',
            'Go back, reload, and try again.',
          ),
          visit.viewer,
        );
      const part = decodePart(given);
      return replyTo(visit, async () =>
        part === null ? {status: 404, page: MISSING} : change(visit, part, form),
      );
    },
  });

  /** Does it, and shows `to` afterwards. */
  async function perform({request, visitor}: Visit, action: Action, to: string): Promise<Reply> {
    const result = await act(action, {request, by: visitor.token}, api);
    if (result.kind === 'done') return {answer: redirect(to)};
    if (result.kind === 'missing') return {status: 404, page: MISSING};
    const text = `This takes a token with the role ${result.role}; ${visitor.token.name} has ${visitor.token.role}.`;
    return {status: 403, page: problemPage('Not allowed', text)};
  }

  const groupAction = (verb: string, bodyOf: (form: URLSearchParams) => object): Route =>
    post(`groups/${PART}/${verb}`, async (visit, name, form) => {
      const path = `groups/${name}/${verb}`;
      return perform(visit, {method: 'POST', path, body: bodyOf(form)}, groupHref(name));
    });

  async function askToPromote({request, viewer}: Visit, version: string): Promise<Reply> {
    const name = new URLSearchParams(request.query).get('channel');
    const release = await data.release(version);
    const channel = release?.allChannels.find((each) => each.name === name);
    if (release === null || channel === undefined) return {status: 404, page: MISSING};
    const {groups} = await data.overview(api.now());
    const following = groups.filter((group) => group.channel === channel.name);
    const machines = following.reduce((sum, group) => sum + group.machines, 0);
    const isBackwards = channel.version !== null && compareVersions(version, channel.version) < 0;
    return promotePage({version, channel, machines, isBackwards}, viewer);
  }

  return [
    {
      methods: ['GET', 'HEAD'],
      pattern: new RegExp(`^(/|${PAGE_PREFIX.slice(0, -1)})$`),
      answer: () => Promise.resolve(secured(redirect(PAGE_PREFIX))),
    },
    {
      methods: ['GET', 'HEAD'],
      pattern: new RegExp(`^${PAGE_PREFIX}assets/${PART}$`),
      answer: (_request, [name = '']) =>
        Promise.resolve(secured(assets.find(name) ?? page(404, Buffer.from('no such file\n')))),
    },
    {
      methods: ['GET', 'HEAD'],
      pattern: new RegExp(`^${PAGE_PREFIX}sign-in$`),
      answer({query}) {
        const to = readDestination(new URLSearchParams(query).get('to'), PAGE_PREFIX);
        return Promise.resolve(shown(200, signInPage(null, to), null));
      },
    },
    {
      methods: ['POST'],
      pattern: new RegExp(`^${PAGE_PREFIX}sign-in$`),
      async answer(request) {
        const form = readForm(request);
        const to = readDestination(form?.get('to') ?? null, PAGE_PREFIX);
        if (form === null || !isFromHere(request, publicUrl))
          return shown(403, signInPage('This did not come from a page of this server.', to), null);
        const result = await guard.signIn(request, form.get('token') ?? '');
        if (result.kind === 'in') return secured(redirect(to, {'set-cookie': result.cookie}));
        return result.kind === 'blocked'
          ? shown(
              429,
              signInPage('Too many wrong tokens from your address. Try again in ten minutes.', to),
              null,
            )
          : shown(401, signInPage('This is not a token of this server, or it was revoked.', to), null);
      },
    },
    {
      methods: ['GET'],
      pattern: new RegExp(`^${PAGE_PREFIX}live$`),
      async answer(request) {
        if ((await guard.visitorOf(request)) === null)
          return secured({...NO_STREAMS, status: 401, body: Buffer.from('sign in first\n')});
        const follow = feed.open();
        if (follow === null) return secured(NO_STREAMS);
        // Proxies that gather answers would hold it back.
        const headers = {'content-type': 'text/event-stream', 'x-accel-buffering': 'no'};
        return secured({status: 200, headers, body: {follow}});
      },
    },
    get('', async ({now}) => overviewPage(await data.overview(now), now)),
    get(`groups/${PART}`, async ({request, viewer, now}, name) => {
      const details = await data.group(name, readRange(request.query), now);
      return details === null ? {status: 404, page: MISSING} : groupPage(details, viewer, now);
    }),
    get('instances', async ({request, now}) =>
      instancesPage(await data.instances(readInstanceQuery(request.query), now), now),
    ),
    get(`instances/${PART}`, async ({now}, id) => {
      const machine = await data.instance(id);
      return machine === null ? {status: 404, page: MISSING} : instancePage(machine, now);
    }),
    get('releases', async ({now}) => releasesPage(await data.releases(), now)),
    get(`releases/${PART}`, async ({viewer, now}, version) => {
      const release = isVersion(version) ? await data.release(version) : null;
      return release === null ? {status: 404, page: MISSING} : releasePage(release, viewer, now);
    }),
    get(`releases/${PART}/sbom.spdx.json`, async (_visit, version) => {
      const sbom = await data.sbom(version);
      if (sbom === null) return {status: 404, page: MISSING};
      const headers = {
        'content-type': 'application/json',
        'content-disposition': `attachment; filename="sbom-${version.replaceAll(/[^\w.-]/g, '_')}.spdx.json"`,
      };
      return {answer: {status: 200, headers, body: Buffer.from(sbom)}};
    }),
    get(`releases/${PART}/promote`, askToPromote),
    post(`releases/${PART}/promote`, async (visit, version, form) => {
      const body = {version, allowDowngrade: form.get('downgrade') === 'yes'};
      const path = `channels/${form.get('channel') ?? ''}`;
      return perform(visit, {method: 'PUT', path, body}, PAGE_PREFIX);
    }),
    groupAction('pause', (form) => ({reason: (form.get('reason') ?? '').trim().slice(0, 200)})),
    groupAction('resume', () => ({})),
    groupAction('retry', () => ({})),
    post('sign-out', async ({request, visitor}) => ({
      answer: redirect(`${PAGE_PREFIX}sign-in`, {'set-cookie': await guard.signOut(request, visitor)}),
    })),
    // Whatever else lies below it is not told apart from what one may not see.
    get('.*', () => Promise.resolve({status: 404, page: MISSING})),
  ];
}

function sentence(text: string): string {
  return `${text.slice(0, 1).toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? '' : '.'}`;
}
