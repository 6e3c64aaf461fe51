/** All releases that this server was ever told of. */
import {formatBytes} from '../../../formats/units.ts';
import {html} from '../html.ts';
import {type Page, part, versionLink} from '../layout.ts';
import type {ReleaseLine} from '../model.ts';
import {ago, formatCount} from '../words.ts';

export function releasesPage(releases: readonly ReleaseLine[], now: number): Page {
  return {
    title: 'Releases',
    section: 'releases',
    live: 'all',
    calmMs: 10_000,
    body: html`<div class="head"><h1>Releases</h1></div>
      ${part(
        'releases',
        'panel',
        releases.length === 0
          ? html`<p class="empty">
              Nothing was published yet. <code>caisson publish RELEASE --channel alpha</code> does it.
            </p>`
          : html`<div class="scroll">
              <table class="lines">
                <thead>
                  <tr>
                    <th scope="col">Version</th>
                    <th scope="col">Channels</th>
                    <th scope="col" class="num">Machines</th>
                    <th scope="col" class="num">Payload</th>
                    <th scope="col">Published</th>
                  </tr>
                </thead>
                <tbody>
                  ${releases.map(
                    ({version, channels, machines, bytes, publishedAt, isWithdrawn}) =>
                      html`<tr>
                        <th scope="row">
                          ${versionLink(version)}${isWithdrawn && html` <span class="badge bad">withdrawn</span>`}
                        </th>
                        <td>${channels.map((name) => html`<span class="badge">${name}</span> `)}</td>
                        <td class="num">${formatCount(machines)}</td>
                        <td class="num">${formatBytes(bytes)}</td>
                        <td>${ago(publishedAt, now)}</td>
                      </tr>`,
                  )}
                </tbody>
              </table>
            </div>`,
      )}`,
  };
}
