/**
 * What every page has around its content. What may change while somebody looks is in a part with a name, so that the
 * script can exchange it; without script the same page is there after a reload.
 */
import {type Html, type HtmlValue, html} from './html.ts';
import type {Viewer} from './model.ts';

/** Below which everything of the page lies. */
export const PAGE_PREFIX = '/ui/';

export interface Frame {
  readonly viewer: Viewer | null;
  /** Addresses of the assets, with a hash in their names. */
  readonly assets: {readonly style: string; readonly script: string; readonly icon: string};
}

export interface Page {
  readonly title: string;
  readonly section: 'overview' | 'instances' | 'releases' | null;
  /** Names of the groups whose changes show here; `all` for any; null for a page that does not change. */
  readonly live: string | null;
  /** The script asks again no sooner than that after the last time; left out, after two seconds. */
  readonly calmMs?: number;
  readonly body: Html;
}

const USUAL_CALM_MS = 2000;
const SECTIONS = [
  ['overview', '', 'Overview'],
  ['instances', 'instances', 'Instances'],
  ['releases', 'releases', 'Releases'],
] as const;

export function renderPage(
  {title, section, live, calmMs = USUAL_CALM_MS, body}: Page,
  {viewer, assets}: Frame,
): Uint8Array {
  const document = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title} · Caisson</title>
<link rel="icon" href="${assets.icon}" type="image/svg+xml">
<link rel="stylesheet" href="${assets.style}">
${viewer !== null && html`<script src="${assets.script}" defer></script>`}
</head>
<body${live !== null && html` data-live="${live}" data-feed="${PAGE_PREFIX}live" data-calm="${calmMs}"`}>
<a class="skip" href="#content">Skip to content</a>
${viewer === null ? html`` : topBar(section, viewer)}
<main id="content">
${body}
</main>
<noscript><p class="foot">Without script this page does not update by itself; reload it.</p></noscript>
</body>
</html>
`;
  return Buffer.from(document.toString());
}

function topBar(current: Page['section'], {name, role, csrf}: Viewer): Html {
  return html`<header class="top">
    <div class="top-in">
      <a class="brand" href="${PAGE_PREFIX}"
        ><svg viewBox="0 0 24 24" width="22" height="22" aria-hidden="true">
          <path d="M3 6h18v12H3z M3 12h18 M9 6v6 M15 12v6" /></svg
        ><span>Caisson</span></a
      >
      <nav aria-label="Sections">
        ${SECTIONS.map(
          ([id, path, label]) =>
            html`<a href="${PAGE_PREFIX}${path}" ${id === current && html` aria-current="page"`}
              >${label}</a
            >`,
        )}
      </nav>
      <span class="live" data-live-sign hidden><i></i><span>live</span></span>
      <form class="who" method="post" action="${PAGE_PREFIX}sign-out">
        ${csrfField(csrf)}<span title="Signed in with this token"
          ><b>${name}</b>${name !== role && html` <span class="role">${role}</span>`}</span
        ><button class="quiet">Sign out</button>
      </form>
    </div>
  </header>`;
}

export function csrfField(csrf: string): Html {
  return html`<input type="hidden" name="csrf" value="${csrf}" />`;
}

/** A piece that the script exchanges when what it shows has changed. Names are unique within a page. */
export function part(name: string, className: string, ...body: readonly HtmlValue[]): Html {
  return html`<section id="${name}" data-part class="${className}">${body}</section>`;
}

export type Fact = readonly [term: string, text: Html | string];

/** Side by side where there is room; what is not known is left out. */
export function factList(facts: readonly Fact[], rest: HtmlValue = ''): Html {
  return html`<dl class="facts cols">
    ${facts.map(
      ([term, text]) =>
        text !== '' &&
        html`<div>
          <dt>${term}</dt>
          <dd>${text}</dd>
        </div>`,
    )}
    ${rest}
  </dl>`;
}

export function crumbs(...path: readonly (readonly [href: string, label: string])[]): Html {
  return html`<p class="crumbs">
    ${path.map(([href, label]) => html`<a href="${href}">${label}</a> <span aria-hidden="true">/</span> `)}
  </p>`;
}

export function groupHref(name: string): string {
  return `${PAGE_PREFIX}groups/${encodeURIComponent(name)}`;
}

export function releaseHref(version: string): string {
  return `${PAGE_PREFIX}releases/${encodeURIComponent(version)}`;
}

export function instanceHref(id: string): string {
  return `${PAGE_PREFIX}instances/${encodeURIComponent(id)}`;
}

/** A version, as a link to its release. */
export function versionLink(version: string): Html {
  return html`<a class="version" href="${releaseHref(version)}">${version}</a>`;
}
