/** One release: its notes, what changed in it, its files, and where it goes next. */
import {formatBytes} from '../../../formats/units.ts';
import {mayActAs} from '../../store/tokens.ts';
import {type Html, html} from '../html.ts';
import {type Fact, PAGE_PREFIX, type Page, crumbs, factList, part, releaseHref} from '../layout.ts';
import type {PackageChange, ReleaseDetails, ReleaseFile, Viewer} from '../model.ts';
import {ago, countOf, formatCount} from '../words.ts';

export function releasePage(release: ReleaseDetails, viewer: Viewer, now: number): Page {
  const {version, publishedAt, channels, machines, bytes, sha256, notes, changes, files, packages} = release;
  const facts: readonly Fact[] = [
    [
      'Published',
      html`${ago(publishedAt, now)}${release.publishedBy !== '' && html` <span class="dim">by ${release.publishedBy}</span>`}`,
    ],
    ['Signed with', release.signedBy],
    ['Channels', channels.length === 0 ? 'none' : channels.join(', ')],
    ['Runs on', countOf(machines, 'machine')],
    ['Full payload', formatBytes(bytes)],
    ['Packages', packages === null ? '' : formatCount(packages)],
    [
      'Bill of materials',
      release.sbomHref === null ? '' : html`<a href="${release.sbomHref}">SPDX 2.3, JSON</a>`,
    ],
  ];
  return {
    title: `Release ${version}`,
    section: 'releases',
    live: 'all',
    calmMs: 10_000,
    body: html`${crumbs([`${PAGE_PREFIX}releases`, 'Releases'])}
      <div class="head">
        <h1>${version}</h1>
        ${release.isWithdrawn && html`<span class="badge bad">withdrawn</span>`}
      </div>
      ${release.isWithdrawn && html`<p class="notice bad">Nobody is offered it any more${release.withdrawnWhy !== '' && `: ${release.withdrawnWhy}`}.</p>`}
      ${part(
        'facts',
        'panel',
        factList(
          facts,
          html`<div class="span">
            <dt>SHA-256 of the payload</dt>
            <dd><code class="hash">${sha256}</code></dd>
          </div>`,
        ),
      )}
      ${mayActAs(viewer.role, 'publish') && !release.isWithdrawn && promotion(release)}
      <h2>Notes</h2>
      <div class="panel">
        ${notes === null || notes === '' ? html`<p class="empty">This release came without notes.</p>` : html`<pre class="notes">${notes}</pre>`}
      </div>
      <h2>Packages${changes !== null && html` <span class="dim">against ${changes.since}</span>`}</h2>
      <div class="panel">
        ${changes === null ? html`<p class="empty">What changed is not known: there is no release before it with a list of packages.</p>` : packageTable(changes.list)}
      </div>
      ${
        files.length > 0 &&
        html`<h2>Files</h2>
          <div class="panel">${fileTable(files)}</div>`
      }`,
  };
}

function promotion({version, allChannels}: ReleaseDetails): Html {
  const others = allChannels.filter((channel) => channel.version !== version);
  if (others.length === 0) return html``;
  return html`<form class="panel inline promote" method="get" action="${releaseHref(version)}/promote">
    <label for="channel">Promote ${version} to</label>
    <div class="field">
      <select id="channel" name="channel">
        ${others.map(({name, version: at}) => html`<option value="${name}">${name}${at === null ? ' (nothing yet)' : ` (now ${at})`}</option>`)}</select
      ><button>Continue</button>
    </div>
  </form>`;
}

function packageTable(list: readonly PackageChange[]): Html {
  if (list.length === 0) return html`<p class="empty">The same packages in the same versions.</p>`;
  const [added, gone] = [
    list.filter(({before}) => before === null).length,
    list.filter(({after}) => after === null).length,
  ];
  return html`<p class="dim">
      ${formatCount(list.length - added - gone)} changed, ${formatCount(added)} new, ${formatCount(gone)} gone
    </p>
    <div class="scroll">
      <table class="lines">
        <thead>
          <tr>
            <th scope="col">Package</th>
            <th scope="col">Before</th>
            <th scope="col">Now</th>
          </tr>
        </thead>
        <tbody>
          ${list.map(
            ({name, before, after}) =>
              html`<tr>
                <th scope="row">${name}</th>
                <td class="version">${before ?? html`<span class="dim">new</span>`}</td>
                <td class="version">${after ?? html`<span class="dim">gone</span>`}</td>
              </tr>`,
          )}
        </tbody>
      </table>
    </div>`;
}

function fileTable(files: readonly ReleaseFile[]): Html {
  return html`<div class="scroll">
    <table class="lines">
      <thead>
        <tr>
          <th scope="col">File</th>
          <th scope="col" class="num">Size</th>
          <th scope="col">SHA-256</th>
        </tr>
      </thead>
      <tbody>
        ${files.map(
          ({name, bytes, sha256}) =>
            html`<tr>
              <th scope="row">${name}</th>
              <td class="num">${formatBytes(bytes)}</td>
              <td><code class="hash" title="${sha256}">${sha256.slice(0, 16)}…</code></td>
            </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}
