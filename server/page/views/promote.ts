/** Asks once more before a channel points to another release. */
import {type Html, html} from '../html.ts';
import {type Page, crumbs, csrfField, groupHref, releaseHref} from '../layout.ts';
import type {ChannelLine, Viewer} from '../model.ts';
import {countOf} from '../words.ts';

export interface Promotion {
  readonly version: string;
  readonly channel: ChannelLine;
  /** In the groups of the channel. */
  readonly machines: number;
  readonly isBackwards: boolean;
}

export function promotePage({version, channel, machines, isBackwards}: Promotion, {csrf}: Viewer): Page {
  const {name, version: before, groups} = channel;
  return {
    title: `Promote ${version} to ${name}`,
    section: 'releases',
    live: null,
    body: html`${crumbs([releaseHref(version), version])}
      <div class="head"><h1>Promote ${version} to ${name}</h1></div>
      <div class="panel stack">
        <p>
          ${before === null ? html`<b>${name}</b> points to nothing yet.` : html`<b>${name}</b> points to <b>${before}</b> now.`}
          ${groups.length === 0 ? 'No group follows it.' : html`${countOf(machines, 'machine')} follow it in ${groupList(groups)}; each group takes the release up by its own rules.`}
        </p>
        ${isBackwards && html`<p class="notice warn">That is backwards. Hosts go back only if they were told that they may.</p>`}
        <form method="post" action="${releaseHref(version)}/promote" class="inline">
          ${csrfField(csrf)}<input type="hidden" name="channel" value="${name}" />${
            isBackwards &&
            html`<label class="check"
              ><input type="checkbox" name="downgrade" value="yes" required /> ${name} shall go back from
              ${before ?? ''} to ${version}</label
            >`
          }
          <div class="field">
            <button class="main">Promote</button> <a href="${releaseHref(version)}">Cancel</a>
          </div>
        </form>
      </div>`,
  };
}

function groupList(groups: readonly string[]): readonly Html[] {
  return groups.map((group, index) => html`${index > 0 && ', '}<a href="${groupHref(group)}">${group}</a>`);
}
