/**
 * The page in a real browser: every view in light and dark, wide and narrow, without a word of complaint; and what changes
 * on the server is seen without a reload. CAISSON_PICTURES names a folder that gets a picture of each view.
 */
import assert from 'node:assert/strict';
import {writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import {after, before, describe, it} from 'node:test';
import {type Browser, type BrowserPage, type View, startBrowser} from '../support/browser.ts';
import {
  EVENTS,
  type FleetHost,
  type PageFleet,
  addDocumented,
  hostsOf,
  startPageFleet,
  update,
} from '../support/page-fleet.ts';
import {skipWithout} from '../support/tool.ts';

const HOUR = 3_600_000;
const T0 = Date.UTC(2026, 10, 20, 8);
const HOSTILE = '"><img src=x onerror=alert(1)>';
const PICTURES = process.env['CAISSON_PICTURES'];

const VIEWS = {
  overview: '/ui/',
  group: '/ui/groups/stable',
  instances: '/ui/instances',
  none: '/ui/instances?q=nobody',
  instance: '/ui/instances/0000000000000000000000000000000a',
  releases: '/ui/releases',
  release: '/ui/releases/1.1.0',
  promote: '/ui/releases/1.0.0/promote?channel=stable',
  missing: '/ui/nope',
};
const LOOKS: readonly View[] = [
  {scheme: 'light', width: 1280, height: 800},
  {scheme: 'dark', width: 1280, height: 800},
  {scheme: 'light', width: 390, height: 800},
  {scheme: 'dark', width: 390, height: 800},
];

describe('the page in a browser', {skip: await skipWithout(['chromium'], 'chromium')}, () => {
  let fleet: PageFleet;
  let browser: Browser;
  let hosts: readonly FleetHost[];

  before(async () => {
    fleet = await startPageFleet(T0, async (database, dir) => {
      const packages = {bash: '5.2.37-2', curl: '8.14.1-2', 'linux-image-amd64': '6.12.57-1'};
      const at = T0 - 30 * HOUR;
      await addDocumented({database, dir}, '1.0.0', {notes: 'The first.', packages, at});
      const changed = {...packages, curl: '8.14.1-3', jq: '1.7.1-6'};
      await addDocumented({database, dir}, '1.1.0', {notes: `Fixes.\n${HOSTILE}`, packages: changed, at: T0});
    });
    await fleet.call('PUT', 'groups/stable', {channel: 'stable', policy: {pace: 'at once'}});
    await fleet.publish('1.0.0', 'stable');
    hosts = hostsOf('stable', 5, '1.0.0');
    const bad = {id: '0000000000000000000000000000000a', alias: HOSTILE, group: 'stable', version: '1.0.0'};
    for (const host of [...hosts, bad]) await fleet.ask(host);
    await fleet.pass(HOUR);
    await fleet.publish('1.1.0', 'stable');
    const [first] = hosts;
    assert.ok(first !== undefined && (await update(fleet, first)));
    await fleet.ask(bad);
    await fleet.ask(bad, [EVENTS.downloading]);
    await fleet.ask(bad, [EVENTS.rolledBack]);
    await fleet.pass(HOUR);
    browser = await startBrowser();
  });
  after(async () => {
    await browser.close();
    await fleet.stop();
  });

  async function signIn(page: BrowserPage): Promise<void> {
    await page.goTo(`${fleet.url}/ui/`);
    const token = JSON.stringify(fleet.token);
    await page.follow(
      `document.querySelector('#token').value = ${token}, document.querySelector('.main').click()`,
    );
    assert.equal(await page.evaluate('document.querySelector("h1").textContent'), 'Overview');
  }

  for (const look of LOOKS) {
    const name = `${look.scheme}-${look.width}`;
    it(`shows every view, and has nothing to complain: ${name}`, async () => {
      const page = await browser.openPage(look);
      await signIn(page);
      for (const [view, path] of Object.entries(VIEWS)) {
        await page.goTo(fleet.url + path);
        assert.equal(await page.evaluate('document.images.length'), 0, view);
        const overflow = 'document.documentElement.scrollWidth - document.documentElement.clientWidth';
        assert.ok((await page.evaluate<number>(overflow)) <= 0, `${view} is wider than the window`);
        assert.equal(await page.evaluate('document.querySelectorAll("h1").length'), 1, view);
        await page.until(`[...document.styleSheets].length === 1`);
        if (PICTURES !== undefined)
          await writeFile(join(PICTURES, `${view}-${name}.png`), await page.picture());
      }
      const back = await page.evaluate<string>('getComputedStyle(document.body).backgroundColor');
      const [red = NaN] = (/\d+/.exec(back) ?? []).map(Number);
      assert.equal(red < 128, look.scheme === 'dark', back);
      // What is not there says so with its status.
      const complaints = page.complaints().filter((each) => !/404 .*\/ui\/nope/.test(each));
      assert.deepEqual(complaints, []);
      await page.close();
    });
  }

  it('has text that is told from what is behind it', async () => {
    for (const scheme of ['light', 'dark'] as const) {
      const page = await browser.openPage({scheme, width: 1280, height: 800});
      await signIn(page);
      for (const path of [VIEWS.overview, VIEWS.group, VIEWS.instance, VIEWS.release]) {
        await page.goTo(fleet.url + path);
        assert.deepEqual(await page.evaluate(FAINT), [], `${scheme} ${path}`);
      }
      await page.close();
    }
  });

  it('goes on by itself when something changes, and leaves alone what somebody is writing', async () => {
    const page = await browser.openPage({scheme: 'light', width: 1280, height: 800});
    await signIn(page);
    await page.goTo(`${fleet.url}/ui/groups/stable`);
    const count = (label: string): string => `document.querySelector('[data-count="${label}"]').textContent`;
    assert.equal(await page.evaluate(count('Up to date')), '1');
    await page.until(`document.querySelector('[data-live-sign]').dataset.state === 'on'`);
    await fleet.call('POST', 'groups/stable/resume');
    await page.evaluate(`window.isSame = true, document.querySelector('#chart-table').open = true`);
    await page.until(`document.querySelector('#reason') !== null`);
    await page.evaluate(
      `document.querySelector('#reason').focus(), document.querySelector('#reason').value = 'wait', 0`,
    );
    const [, second, third] = hosts;
    assert.ok(second !== undefined && third !== undefined);
    assert.ok((await update(fleet, second)) && (await update(fleet, third)));
    await page.until(`${count('Up to date')} === '3'`);
    assert.deepEqual(
      await page.evaluate(
        `[window.isSame, document.querySelector('#reason').value, document.activeElement.id, document.querySelector('#chart-table').open]`,
      ),
      [true, 'wait', 'reason', true],
    );
    assert.deepEqual(page.complaints(), []);
    await page.close();
  });

  it('comes back by itself after the server did', async () => {
    const page = await browser.openPage({scheme: 'dark', width: 1280, height: 800});
    await signIn(page);
    await page.until(`document.querySelector('[data-live-sign]').dataset.state === 'on'`);
    await fleet.restart();
    await page.until(`document.querySelector('[data-live-sign]').dataset.state === 'off'`);
    await page.until(`document.querySelector('[data-live-sign]').dataset.state === 'on'`);
    await page.close();
  });

  it('pauses and resumes without script', async () => {
    const page = await browser.openPage({scheme: 'light', width: 1280, height: 800, withoutScript: true});
    await signIn(page);
    await page.goTo(`${fleet.url}/ui/groups/stable`);
    await page.follow(
      `document.querySelector('#reason').value = 'audit', document.querySelector('[action$="/pause"] button').click()`,
    );
    assert.match(
      await page.evaluate('document.querySelector("#stop").textContent'),
      /Paused[\s\S]*audit \(admin\)/,
    );
    await page.follow(`document.querySelector('[action$="/resume"] button').click()`);
    assert.equal(await page.evaluate('document.querySelector("#stop").textContent.trim()'), '');
    assert.match(await page.evaluate('document.querySelector("noscript").textContent'), /reload/);
    assert.deepEqual(page.complaints(), []);
    await page.close();
  });
});

/** Texts with less contrast than 4.5 to 1 against what is behind them. */
const FAINT = `(() => {
  const channels = (color) => (color.match(/[\\d.]+/g) ?? []).map(Number);
  const light = (color) => {
    const [r, g, b] = channels(color).slice(0, 3).map((value) => {
      const part = value / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    for (let each = element; each !== null; each = each.parentElement) {
      const color = getComputedStyle(each).backgroundColor;
      const [, , , alpha = 1] = channels(color);
      if (alpha === 1) return color;
    }
    return 'rgb(255, 255, 255)';
  };
  const texts = [...document.querySelectorAll('body *')].filter((element) =>
    [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim() !== '') &&
    !(element instanceof SVGElement) && element.getClientRects().length > 0);
  return texts.flatMap((element) => {
    const [a, b] = [light(getComputedStyle(element).color), light(behind(element))].sort((x, y) => y - x);
    const contrast = (a + 0.05) / (b + 0.05);
    return contrast < 4.5 ? [element.tagName + '.' + element.className + ' ' + element.textContent.trim().slice(0, 30) + ' ' + contrast.toFixed(2)] : [];
  });
})()`;
