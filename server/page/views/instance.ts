/** One machine: what it is, where it is in the rollout, and what it told, with errors spelled out. */
import {describeEvent} from '../../event-words.ts';
import {type Html, html} from '../html.ts';
import {
  type Fact,
  PAGE_PREFIX,
  type Page,
  crumbs,
  factList,
  groupHref,
  part,
  releaseHref,
} from '../layout.ts';
import type {TimelineEntry} from '../../store/instances.ts';
import type {InstanceDetails} from '../model.ts';
import {progressName} from '../../rollout/tally.ts';
import {explainProgress} from '../progress-words.ts';
import {stateMark} from '../states.ts';
import {ago, capitalized, when} from '../words.ts';

export function instancePage(machine: InstanceDetails, now: number): Page {
  const {id, alias, group, timeline, isCut} = machine;
  return {
    title: alias === '' ? id : `${alias} (${id})`,
    section: 'instances',
    live: group,
    body: html`${crumbs([PAGE_PREFIX, 'Overview'], [`${PAGE_PREFIX}instances`, 'Instances'])}
      <div class="head">
        <h1 class="long">${alias === '' ? html`<span class="id">${id}</span>` : alias}</h1>
        ${alias !== '' && html`<p class="dim"><span class="id">${id}</span></p>`}
      </div>
      ${part('now', 'panel', state(machine, now))}
      <h2>Timeline</h2>
      ${part(
        'timeline',
        'panel',
        timeline.length === 0
          ? html`<p class="empty">It has asked, and told nothing yet.</p>`
          : html`<ol class="timeline">
                ${timeline.map((entry) => line(entry, now))}
              </ol>
              ${isCut && html`<p class="dim">Older entries are left out.</p>`}`,
      )}`,
  };
}

function state(machine: InstanceDetails, now: number): Html {
  const {group, version, progress, progressAt, setbacks, lastSeenAt, firstSeenAt, prefix} = machine;
  const {board, oem, oemVersion, alephVersion} = machine;
  const facts: readonly Fact[] = [
    ['Runs', html`<a class="version" href="${releaseHref(version)}">${version}</a>`],
    ['Group', html`<a href="${groupHref(group)}">${group}</a>`],
    ['Last seen', ago(lastSeenAt, now)],
    ['First seen', ago(firstSeenAt, now)],
    ['Installed as', alephVersion],
    ['Takes only', prefix === '' ? '' : `${prefix}…`],
    ['Platform', [oem, oemVersion].filter((each) => each !== '').join(' ')],
    ['Board', board],
    ['Tries without success', setbacks === 0 ? '' : String(setbacks)],
  ];
  return html`<p class="lead">
      ${stateMark(progressName({progress}))} <span class="dim">${ago(progressAt, now)}</span>
    </p>
    <p>${explainProgress(progress, setbacks)}</p>
    ${factList(facts)}`;
}

function line(entry: TimelineEntry, now: number): Html {
  if (entry.kind === 'grant')
    return html`<li class="t-plain">
      ${when(entry.at, now)}
      <div>
        <p>Told to install <span class="version">${entry.version}</span></p>
      </div>
    </li>`;
  const {at, version} = entry;
  const {text, tone, error} = describeEvent(entry);
  return html`<li class="t-${tone}">
    ${when(at, now)}
    <div>
      <p>${capitalized(text)} <span class="dim">· runs ${version}</span></p>
      ${error !== null && html`<p class="error"><code>${error.name}</code> <span class="dim">${error.code}</span> ${error.meaning}</p>`}
    </div>
  </li>`;
}
