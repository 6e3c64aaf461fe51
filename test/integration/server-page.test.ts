/** The page of `caisson server` over HTTP, as a browser without script would use it, and as somebody would who means ill. */
import assert from 'node:assert/strict';
import {after, before, describe, it} from 'node:test';
import {
  EVENTS,
  type FleetHost,
  type PageFleet,
  hostsOf,
  startPageFleet,
  update,
} from '../support/page-fleet.ts';

const HOUR = 3_600_000;
const FORM = {'content-type': 'application/x-www-form-urlencoded'};
const HOSTILE = '"><img src=x onerror=alert(1)>';

let fleet: PageFleet;
let cookie = '';
let csrf = '';

interface Got {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

async function get(path: string, headers: Record<string, string> = {cookie}): Promise<Got> {
  const answer = await fetch(fleet.url + path, {headers, redirect: 'manual'});
  return {status: answer.status, headers: answer.headers, text: await answer.text()};
}

async function post(
  path: string,
  fields: Record<string, string>,
  headers: Record<string, string> = {cookie},
): Promise<Got> {
  const answer = await fetch(fleet.url + path, {
    method: 'POST',
    headers: {...FORM, ...headers},
    body: new URLSearchParams(fields).toString(),
    redirect: 'manual',
  });
  return {status: answer.status, headers: answer.headers, text: await answer.text()};
}

/** Gives the cookie. */
async function signIn(token: string): Promise<string> {
  const {status, headers} = await post('/ui/sign-in', {token, to: '/ui/'}, {});
  assert.equal(status, 303);
  return (headers.get('set-cookie') ?? '').split(';')[0] ?? '';
}

async function csrfOf(session: string): Promise<string> {
  const {text} = await get('/ui/', {cookie: session});
  return /name="csrf" value="([^"]+)"/.exec(text)?.[1] ?? assert.fail('no form token');
}

const flat = (text: string): string => text.replaceAll(/<[^>]*>/g, ' ').replaceAll(/\s+/g, ' ');

describe('the page of the release server', () => {
  let stable: readonly FleetHost[];

  before(async () => {
    fleet = await startPageFleet(Date.UTC(2026, 10, 21, 8));
    await fleet.call('PUT', 'groups/stable', {
      channel: 'stable',
      policy: {
        pace: 'at once',
        halt: {rolledBack: {machines: 1, share: '0%'}, failed: null, lost: null, together: null},
      },
    });
    await fleet.publish('1.0.0', 'stable');
    stable = hostsOf('stable', 6, '1.0.0');
    for (const host of stable) await fleet.ask(host);
    await fleet.pass(HOUR);
    await fleet.publish('1.1.0', 'stable');
    const [first, second, third, fourth] = stable;
    assert.ok(first !== undefined && second !== undefined && third !== undefined && fourth !== undefined);
    assert.equal(await update(fleet, first), true);
    await fleet.ask(second);
    await fleet.ask(second, [EVENTS.downloading]);
    await fleet.ask({...fourth, alias: HOSTILE});
    await fleet.ask(third);
    await fleet.ask(third, [EVENTS.installed]);
    await fleet.ask(third, [EVENTS.rolledBack]);
    await fleet.pass(60_000);
    cookie = await signIn(fleet.token);
    csrf = await csrfOf(cookie);
  });
  after(() => fleet.stop());

  it('shows nothing before somebody signs in, and leads there', async () => {
    for (const path of [
      '/ui/',
      '/ui/groups/stable?range=day',
      '/ui/instances',
      '/ui/releases/1.0.0/sbom.spdx.json',
      '/ui/nope',
    ]) {
      const {status, headers, text} = await get(path, {});
      assert.deepEqual([status, text], [303, '']);
      assert.equal(headers.get('location'), `/ui/sign-in?${new URLSearchParams({to: path}).toString()}`);
    }
    assert.equal((await get('/', {})).headers.get('location'), '/ui/');
    assert.equal((await get('/ui/live', {})).status, 401);
  });

  it('lets in with a token, and to where one was going', async () => {
    const {status, headers} = await post('/ui/sign-in', {token: `${fleet.token}\n`, to: '/ui/instances'}, {});
    assert.deepEqual([status, headers.get('location')], [303, '/ui/instances']);
    assert.match(
      headers.get('set-cookie') ?? '',
      /^caisson-session=[\w-]{43}; Path=\/; Max-Age=604800; HttpOnly; SameSite=Lax$/,
    );
    const elsewhere = await post('/ui/sign-in', {token: fleet.token, to: 'https://evil.example/'}, {});
    assert.equal(elsewhere.headers.get('location'), '/ui/');
  });

  it('has the headers of a page that is its own, everywhere', async () => {
    const paths = [
      '/ui/',
      '/ui/sign-in',
      '/ui/groups/stable',
      '/ui/instances',
      '/ui/releases',
      '/ui/nope',
      '/ui/assets/nope',
    ];
    for (const path of paths) {
      const {headers, text} = await get(path);
      assert.match(
        headers.get('content-security-policy') ?? '',
        /^default-src 'none'; .*frame-ancestors 'none'/,
        path,
      );
      assert.doesNotMatch(headers.get('content-security-policy') ?? '', /unsafe/);
      assert.equal(headers.get('x-content-type-options'), 'nosniff');
      assert.equal(headers.get('cache-control'), 'no-store');
      assert.equal(headers.get('referrer-policy'), 'same-origin');
      assert.doesNotMatch(text, /\sstyle="|<script>|\son[a-z]+="/);
    }
  });

  it('has assets that browsers may keep for ever', async () => {
    const {text} = await get('/ui/');
    const assets = [...text.matchAll(/"(\/ui\/assets\/[^"]+)"/g)].map(([, href = '']) => href);
    assert.equal(assets.length, 3);
    for (const href of assets) {
      const {status, headers} = await get(href, {});
      assert.deepEqual([status, headers.get('cache-control')], [200, 'public, max-age=31536000, immutable']);
      assert.match(href, /-[0-9a-f]{16}\.(css|js|svg)$/);
    }
  });

  it('shows channels and groups without script', async () => {
    const words = flat((await get('/ui/')).text);
    assert.match(words, /stable 1\.1\.0 .*by admin/);
    assert.match(words, /stable is halted/);
    assert.match(words, /17 % up to date 1 of 6/);
    assert.match(words, /alpha nothing yet/);
  });

  it('shows how far a group is, why it stopped, and a chart', async () => {
    const {text} = await get('/ui/groups/stable');
    const count = (label: string): string | undefined =>
      new RegExp(`data-count="${label}"[^>]*>([^<]*)<`).exec(text)?.[1];
    const shown = [
      'Up to date',
      'Waiting',
      'Granted',
      'Downloading',
      'Rolled back',
      'Rebooted',
      'Good',
      'Silent',
    ].map(count);
    assert.deepEqual(shown, ['1', '2', '1', '1', '1', '2', '1', '0']);
    assert.match(flat(text), /Halted by itself .* went back to the version before/);
    assert.match(text, /<path class="band v0"/);
    assert.match(flat(text), /1\.1\.0 1 17 %/);
    assert.equal((await get('/ui/groups/nope')).status, 404);
  });

  it('finds machines, and shows what hosts call themselves as text', async () => {
    const all = await get('/ui/instances');
    assert.match(flat(all.text), /6 machines/);
    assert.ok(all.text.includes('&quot;&gt;&lt;img src=x onerror=alert(1)&gt;'));
    assert.ok(!all.text.includes('<img'));
    assert.match(flat((await get('/ui/instances?state=rolled-back')).text), /1 of 1 shown/);
    assert.match(flat((await get('/ui/instances?q=RACK1-0')).text), /1 of 1 shown/);
    assert.match(flat((await get("/ui/instances?q=' or 1=1 --")).text), /No machine is like that/);
    assert.match(flat((await get('/ui/instances?q=%25')).text), /No machine is like that/);
  });

  it('tells what one machine did, with errors in words', async () => {
    const [, , third] = stable;
    const words = flat((await get(`/ui/instances/${third?.id ?? ''}`)).text);
    assert.match(words, /Rolled back .*came back from the release/);
    assert.match(
      words,
      /Came back to the version before · runs 1\.0\.0 ROLLBACK 44 The new system did not come up/,
    );
    assert.match(words, /Told to install 1\.1\.0/);
    for (const path of ['nope', '%00', '%ff', '..%2f..%2fetc'])
      assert.equal((await get(`/ui/instances/${path}`)).status, 404, path);
  });

  it('shows releases with their channels and machines', async () => {
    const list = flat((await get('/ui/releases')).text);
    assert.match(list, /1\.1\.0 stable 1 \d+\.\d kB .* 1\.0\.0 5 /);
    assert.match(flat((await get('/ui/releases/1.1.0')).text), /came without notes/);
    assert.equal((await get('/ui/releases/9.9.9')).status, 404);
    assert.equal((await get('/ui/releases/%3Cb%3E')).status, 404);
  });

  it('changes nothing for forms that were not meant', async () => {
    const other = await csrfOf(await signIn(fleet.token));
    const tries: readonly (readonly [Record<string, string>, Record<string, string>])[] = [
      [{}, {cookie}],
      [{csrf: ''}, {cookie}],
      [{csrf: other}, {cookie}],
      [{csrf}, {cookie, origin: 'http://evil.example'}],
      [{csrf}, {cookie, origin: 'null'}],
      [{csrf}, {cookie, 'sec-fetch-site': 'cross-site'}],
      [{csrf}, {cookie, 'content-type': 'text/plain'}],
    ];
    for (const [fields, headers] of tries) {
      const {status} = await post('/ui/groups/stable/resume', fields, headers);
      assert.equal(status, 403, JSON.stringify([fields, headers]));
    }
    assert.equal((await post('/ui/groups/stable/resume', {csrf}, {})).headers.get('location'), '/ui/sign-in');
    assert.equal((await get('/ui/groups/stable/resume')).status, 404);
    assert.match(flat((await get('/ui/groups/stable')).text), /Halted by itself/);
    assert.equal(
      (await post('/ui/sign-in', {token: fleet.token}, {origin: 'http://evil.example'})).status,
      403,
    );
  });

  it('lets a reader read, and nothing else', async () => {
    const reader = await signIn(await tokenWith('read'));
    const {text} = await get('/ui/groups/stable', {cookie: reader});
    assert.doesNotMatch(text, /\/resume"/);
    const tried = await post('/ui/groups/stable/resume', {csrf: await csrfOf(reader)}, {cookie: reader});
    assert.equal(tried.status, 403);
    assert.match(flat(tried.text), /takes a token with the role admin/);
  });

  it('resumes, pauses and lets machines try again for an admin', async () => {
    const origin = fleet.url;
    const resumed = await post('/ui/groups/stable/resume', {csrf}, {cookie, origin});
    assert.deepEqual([resumed.status, resumed.headers.get('location')], [303, '/ui/groups/stable']);
    assert.doesNotMatch(flat((await get('/ui/groups/stable')).text), /Halted by itself/);
    await post('/ui/groups/stable/pause', {csrf, reason: '<b>audit</b>'});
    assert.ok((await get('/ui/groups/stable')).text.includes('&lt;b&gt;audit&lt;/b&gt; (admin)'));
    await post('/ui/groups/stable/resume', {csrf});
    assert.equal((await post('/ui/groups/stable/retry', {csrf})).status, 303);
    assert.match(flat((await get('/ui/instances?state=rolled-back')).text), /No machine is like that/);
    assert.equal((await post('/ui/groups/nope/resume', {csrf})).status, 409);
  });

  it('promotes after asking, and backwards only when that was meant', async () => {
    const asked = flat((await get('/ui/releases/1.0.0/promote?channel=stable')).text);
    assert.match(asked, /points to 1\.1\.0 now\. 6 machines follow it .* That is backwards/);
    const refused = await post('/ui/releases/1.0.0/promote', {csrf, channel: 'stable'});
    assert.equal(refused.status, 409);
    assert.match(flat(refused.text), /1\.0\.0 is older/);
    const done = await post('/ui/releases/1.1.0/promote', {csrf, channel: 'beta'});
    assert.deepEqual([done.status, done.headers.get('location')], [303, '/ui/']);
    assert.match(flat((await get('/ui/')).text), /beta 1\.1\.0/);
    assert.equal((await post('/ui/releases/1.1.0/promote', {csrf, channel: '../tokens'})).status, 404);
  });

  it('keeps sessions over a restart, and ends them with their time, their token and on leaving', async () => {
    const [leaving, revoked] = [await signIn(fleet.token), await signIn(await tokenWith('publish'))];
    await fleet.restart();
    const isIn = async (session: string): Promise<boolean> =>
      (await get('/ui/', {cookie: session})).status === 200;
    assert.deepEqual([await isIn(leaving), await isIn(revoked)], [true, true]);
    const left = await post('/ui/sign-out', {csrf: await csrfOf(leaving)}, {cookie: leaving});
    assert.match(left.headers.get('set-cookie') ?? '', /Max-Age=0/);
    assert.equal(await isIn(leaving), false);
    await fleet.call('DELETE', `tokens/publish-${tokens}`);
    assert.equal(await isIn(revoked), false);
    // Used now and then it lasts, and not for ever.
    for (let hours = 0; hours < 7 * 24; hours += 8) {
      assert.equal(await isIn(cookie), true, `after ${hours} h`);
      await fleet.pass(8 * HOUR);
    }
    assert.equal(await isIn(cookie), false);
    const idle = await signIn(fleet.token);
    await fleet.pass(12 * HOUR);
    assert.equal(await isIn(idle), false);
  });

  it('tells open pages which groups change, and ends with the server', async () => {
    const session = await signIn(fleet.token);
    const answer = await fetch(`${fleet.url}/ui/live`, {headers: {cookie: session}});
    assert.equal(answer.headers.get('content-type'), 'text/event-stream');
    const reader = (answer.body ?? assert.fail()).getReader();
    let heard = '';
    const until = async (pattern: RegExp): Promise<void> => {
      while (!pattern.test(heard)) {
        const {value, done} = (await reader.read()) as {value?: Uint8Array; done: boolean};
        assert.ok(!done, heard);
        heard += Buffer.from(value ?? []).toString();
      }
    };
    await until(/retry: \d+\n\n/);
    const [host] = hostsOf('beta', 1, '1.0.0');
    assert.ok(host !== undefined);
    await fleet.ask(host);
    await until(/event: change\ndata: \{"groups":\["beta"\]\}\n\n/);
    await fleet.restart();
    assert.equal((await reader.read()).done, true);
  });

  it('holds off whoever tries many tokens', async () => {
    const statuses: number[] = [];
    for (let count = 0; count < 11; count += 1)
      statuses.push(
        (await post('/ui/sign-in', {token: `caisson_${'0'.repeat(16)}_${'x'.repeat(43)}`}, {})).status,
      );
    assert.deepEqual(statuses, [...Array.from({length: 10}, () => 401), 429]);
    // Also with the right one, from there, for ten minutes.
    assert.equal((await post('/ui/sign-in', {token: fleet.token}, {})).status, 429);
    await fleet.pass(11 * 60_000);
    await signIn(fleet.token);
  });
});

let tokens = 0;
async function tokenWith(role: 'read' | 'publish'): Promise<string> {
  tokens += 1;
  const made = (await fleet.call('POST', 'tokens', {name: `${role}-${tokens}`, role})) as {token: string};
  return made.token;
}
