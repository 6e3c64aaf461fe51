/** One group: how far its rollout is, what stopped it, which versions run, and by which rules. */
import {type Html, html} from '../html.ts';
import {PAGE_PREFIX, type Page, crumbs, csrfField, groupHref, part, versionLink} from '../layout.ts';
import {
  type GroupDetails,
  type GroupState,
  RANGES,
  type RangeName,
  type StateFilter,
  type Viewer,
} from '../model.ts';
import {stateBar, stateHref} from '../states.ts';
import {versionChart} from '../chart.ts';
import {ago, countOf, formatAge, formatCount, formatPart} from '../words.ts';
import {mayActAs} from '../../store/tokens.ts';

export function groupPage({state, policy, samples, range}: GroupDetails, viewer: Viewer, now: number): Page {
  const {name, channel} = state;
  return {
    title: `Group ${name}`,
    section: 'overview',
    live: name,
    body: html`${crumbs([PAGE_PREFIX, 'Overview'])}
      <div class="head">
        <h1>${name}</h1>
        <p class="dim">
          follows channel <b>${channel}</b> · ${countOf(state.machines, 'machine')} ·
          <a href="${stateHref(name, null)}">list them</a>
        </p>
      </div>
      ${part('stop', 'stop', stopNotice(state, viewer, now))} ${part('rollout', 'panel', rollout(state, now))}
      ${part('tiles', 'tiles', tiles(state))}
      <div class="row-head">
        <h2>Versions over time <span class="dim">UTC</span></h2>
        ${ranges(name, range)}
      </div>
      ${part('versions', 'panel', versionChart(samples, `Versions of group ${name}`))}
      <div class="two">
        <section>
          <h2>Rules</h2>
          <div class="panel">
            <dl class="facts">
              ${policy.map(
                ([term, text]) =>
                  html`<dt>${term}</dt>
                    <dd>${text}</dd>`,
              )}
            </dl>
          </div>
        </section>
        ${part('actions', 'actions', actions(state, viewer))}
      </div>`,
  };
}

function stopNotice({name, stopped}: GroupState, {role, csrf}: Viewer, now: number): Html {
  if (stopped === null) return html``;
  const isHalted = stopped.kind === 'halted';
  return html`<div class="notice ${isHalted ? 'bad' : 'warn'}" role="status">
    <div>
      <p>
        <b>${isHalted ? 'Halted by itself' : 'Paused'}</b> ${ago(stopped.at, now)}. Nobody is granted
        anything.
      </p>
      <p>${stopped.reason}</p>
    </div>
    ${
      mayActAs(role, 'admin')
        ? html`<form method="post" action="${groupHref(name)}/resume">
            ${csrfField(csrf)}<button class="main">${isHalted ? 'I have seen it: resume' : 'Resume'}</button>
          </form>`
        : html`<p class="dim">Whoever has an admin token can resume.</p>`
    }
  </div>`;
}

function rollout(group: GroupState, now: number): Html {
  const {target, machines, granted, outcomes, startedAt, counts} = group;
  if (target === null)
    return html`<p class="empty">
      Its channel points to nothing yet: hosts are told that there is no update.
    </p>`;
  const hit = outcomes.rolledBack + outcomes.lost;
  const shown: readonly (readonly [string, number, string])[] = [
    ['Granted', granted, 'were told to install it'],
    ['Good', outcomes.good, 'of those run it'],
  ];
  return html`<div class="rollout">
      <p class="lead">
        Rollout of ${versionLink(target)} <span class="dim">begun ${ago(startedAt, now)}</span>
      </p>
      <p class="big">
        <b>${formatPart(counts.done, machines)}</b> up to date
        <span class="dim">${formatCount(counts.done)} of ${formatCount(machines)}</span>
      </p>
    </div>
    ${stateBar(group)}
    <dl class="meter">
      ${shown.map(
        ([label, count, means]) =>
          html`<div>
            <dt>${label} <span class="dim">${means}</span></dt>
            <dd>
              <b class="num">${formatCount(count)}</b>
              <span class="dim">${formatPart(count, machines)} of all</span>
            </dd>
          </div>`,
      )}
      <div>
        <dt>Hit <span class="dim">went back or did not return</span></dt>
        <dd>
          <b class="num${hit > 0 && ' bad-text'}">${formatCount(hit)}</b>
          <span class="dim">${formatPart(hit, machines)} of all</span>
        </dd>
      </div>
    </dl>`;
}

interface Tile {
  readonly label: string;
  readonly count: number;
  /** Null where no list of machines says the same. */
  readonly filter: StateFilter | null;
  readonly mark: StateFilter;
  readonly note: string;
  readonly isBad: boolean;
}

function tilesOf({counts, outcomes, silent, silentAfterMs}: GroupState): readonly Tile[] {
  const gaveUp = counts['gave-up'];
  const silentNote = `not heard of for ${formatAge(silentAfterMs)}`;
  const like = (label: string, count: number, filter: StateFilter, note: string, isBad = false): Tile => ({
    label,
    count,
    filter,
    mark: filter,
    note,
    isBad,
  });
  return [
    like('Up to date', counts.done, 'done', 'run what they should'),
    like('Waiting', counts.waiting, 'waiting', 'not their turn yet'),
    like('Granted', counts.granted, 'granted', 'told to, not begun'),
    like('Downloading', counts.downloading, 'downloading', 'fetch it'),
    like('Installing', counts.downloaded, 'downloaded', 'have it, write it'),
    like('Waiting for reboot', counts.installed, 'installed', 'it starts next'),
    {
      ...{label: 'Rebooted', count: outcomes.good + outcomes.rolledBack, filter: null, mark: 'installed'},
      ...{note: 'heard of since', isBad: false},
    },
    {...like('Good', outcomes.good, 'done', 'rebooted, and run it'), filter: null},
    like('Rolled back', counts['rolled-back'], 'rolled-back', 'came back from it', true),
    like('Did not come back', counts.lost, 'lost', 'began, then nothing', true),
    {
      ...like('Failed', outcomes.failed, 'gave-up', `said so; ${formatCount(gaveUp)} gave up`, true),
      filter: gaveUp > 0 ? 'gave-up' : null,
    },
    like('Silent', silent, 'silent', silentNote, true),
  ];
}

function tiles(group: GroupState): Html {
  return html`${tilesOf(group).map((tile) => {
    const {label, count, filter, mark, note, isBad} = tile;
    const classes = `tile${count === 0 ? ' zero' : ''}${isBad && count > 0 ? ' bad' : ''}`;
    const body = html`<span class="tile-label"><i class="dot s-${mark}"></i>${label}</span>
      <b class="num" data-count="${label}">${formatCount(count)}</b>
      <span class="dim">${note}</span>`;
    return filter === null
      ? html`<div class="${classes}">${body}</div>`
      : html`<a class="${classes}" href="${stateHref(group.name, filter)}">${body}</a>`;
  })}`;
}

const RANGE_LABELS: Readonly<Record<RangeName, string>> = {
  day: '24 h',
  week: '7 days',
  month: '30 days',
  quarter: '90 days',
};

function ranges(name: string, current: RangeName): Html {
  return html`<nav class="ranges" aria-label="Time of the chart">
    ${(Object.keys(RANGES) as RangeName[]).map(
      (range) =>
        html`<a href="${groupHref(name)}?range=${range}" ${range === current && html` aria-current="true"`}
          >${RANGE_LABELS[range]}</a
        >`,
    )}
  </nav>`;
}

function actions({name, stopped, counts}: GroupState, {role, csrf}: Viewer): Html {
  if (!mayActAs(role, 'admin')) return html``;
  const out = counts['rolled-back'] + counts['gave-up'];
  return html`<h2>Steer</h2>
    <div class="panel stack">
      ${
        stopped === null
          ? html`<form method="post" action="${groupHref(name)}/pause" class="inline">
              ${csrfField(csrf)}<label for="reason">Pause, because</label>
              <div class="field">
                <input
                  id="reason"
                  name="reason"
                  required
                  maxlength="200"
                  placeholder="what others should know"
                /><button>Pause</button>
              </div>
            </form>`
          : html`<p class="dim">The group is ${stopped.kind}; see above.</p>`
      }
      ${
        out > 0
          ? html`<form method="post" action="${groupHref(name)}/retry" class="inline">
              ${csrfField(csrf)}
              <p>${countOf(out, 'machine')} came back from the release or gave up on it.</p>
              <button>Let them try again</button>
            </form>`
          : html`<p class="dim">No machine has been given up.</p>`
      }
    </div>`;
}
