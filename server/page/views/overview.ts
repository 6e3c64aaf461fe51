/** The first page: what each channel points to, and how each group is getting on. */
import {type Html, html} from '../html.ts';
import {type Page, groupHref, part, versionLink} from '../layout.ts';
import type {ChannelLine, GroupState, Overview} from '../model.ts';
import {BAR_ORDER, STATE_LABELS, stateBar, stateHref} from '../states.ts';
import {ago, countOf, formatAge, formatCount, formatPart} from '../words.ts';

export function overviewPage({channels, groups}: Overview, now: number): Page {
  const machines = groups.reduce((sum, group) => sum + group.machines, 0);
  const halted = groups.filter(({stopped}) => stopped?.kind === 'halted');
  return {
    title: 'Overview',
    section: 'overview',
    live: 'all',
    body: html`<div class="head">
        <h1>Overview</h1>
        <p class="dim">${countOf(machines, 'machine')} in ${countOf(groups.length, 'group')}</p>
      </div>
      ${part(
        'halts',
        'halts',
        halted.map((group) => haltLine(group, now)),
      )}
      <h2>Channels</h2>
      ${part('channels', 'panel', channelTable(channels, now))}
      <h2>Groups</h2>
      ${part(
        'groups',
        'cards',
        groups.map((group) => groupCard(group, now)),
      )}
      ${groups.length === 0 && html`<p class="empty">There are no groups yet. <code>caisson group</code> makes one.</p>`}`,
  };
}

function haltLine({name, stopped}: GroupState, now: number): Html {
  return html`<p class="notice bad">
    <b><a href="${groupHref(name)}">${name}</a> is halted</b>
    ${stopped !== null && html`${ago(stopped.at, now)}: ${stopped.reason}`}.
  </p>`;
}

function channelTable(channels: readonly ChannelLine[], now: number): Html {
  if (channels.length === 0) return html`<p class="empty">There are no channels yet.</p>`;
  return html`<table class="lines">
    <thead>
      <tr>
        <th scope="col">Channel</th>
        <th scope="col">Release</th>
        <th scope="col">Here since</th>
        <th scope="col" class="wide">Age of the release</th>
        <th scope="col">Groups</th>
      </tr>
    </thead>
    <tbody>
      ${channels.map(
        ({name, version, promotedAt, promotedBy, publishedAt, groups}) =>
          html`<tr>
            <th scope="row">${name}</th>
            <td>${version === null ? html`<span class="dim">nothing yet</span>` : versionLink(version)}</td>
            <td>
              ${version === null ? '' : html`${ago(promotedAt, now)}${promotedBy !== null && html` <span class="dim wide">by ${promotedBy}</span>`}`}
            </td>
            <td class="wide">${publishedAt === null ? '' : formatAge(now - publishedAt)}</td>
            <td>
              ${groups.map((group, index) => html`${index > 0 && ', '}<a href="${groupHref(group)}">${group}</a>`)}
            </td>
          </tr>`,
      )}
    </tbody>
  </table>`;
}

function groupCard(group: GroupState, now: number): Html {
  const {name, channel, target, machines, counts, stopped, silent, outcomes} = group;
  const shown = BAR_ORDER.filter((state) => counts[state] > 0);
  return html`<article class="card${stopped !== null && ` is-${stopped.kind}`}">
    <header>
      <h3><a href="${groupHref(name)}">${name}</a></h3>
      ${stopped === null ? badge(group) : html`<span class="badge ${stopped.kind === 'halted' ? 'bad' : 'warn'}">${stopped.kind}</span>`}
    </header>
    <p class="dim">
      follows
      ${channel}${target === null ? ', which has nothing yet' : html`: ${versionLink(target)}, begun ${ago(group.startedAt, now)}`}
    </p>
    <p class="big">
      <b>${formatPart(counts.done, machines)}</b> up to date
      <span class="dim">${formatCount(counts.done)} of ${formatCount(machines)}</span>
    </p>
    ${stateBar(group)}
    <ul class="keys">
      ${shown.map(
        (state) =>
          html`<li>
            <a href="${stateHref(name, state)}"
              ><i class="dot s-${state}"></i>${STATE_LABELS[state]}
              <b class="num">${formatCount(counts[state])}</b></a
            >
          </li>`,
      )}${
        silent > 0 &&
        html`<li>
          <a href="${stateHref(name, 'silent')}"
            ><i class="dot s-silent"></i>Silent <b class="num">${formatCount(silent)}</b></a
          >
        </li>`
      }
    </ul>
    ${outcomes.failed > 0 && html`<p class="dim">${countOf(outcomes.failed, 'machine')} failed to update</p>`}
  </article>`;
}

function badge({target, counts, machines}: GroupState): Html {
  if (target === null || machines === 0) return html`<span class="badge">idle</span>`;
  const open = counts.waiting + counts.granted + counts.downloading + counts.downloaded + counts.installed;
  return open === 0
    ? html`<span class="badge good">settled</span>`
    : html`<span class="badge live-badge">rolling out</span>`;
}
