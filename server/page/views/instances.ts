/** All machines, a page at a time, in the order of their ids. */
import {type Html, html} from '../html.ts';
import {PAGE_PREFIX, type Page, groupHref, instanceHref, part} from '../layout.ts';
import {type InstanceLine, type InstancePage, type InstanceQuery, STATE_FILTERS} from '../model.ts';
import {STATE_LABELS, stateMark} from '../states.ts';
import {progressName} from '../../rollout/tally.ts';
import {ago, countOf, formatCount} from '../words.ts';

export function instancesPage({query, lines, total, next, groups}: InstancePage, now: number): Page {
  const {search, group, state, after} = query;
  return {
    title: 'Instances',
    section: 'instances',
    live: group ?? 'all',
    // All machines are counted each time.
    calmMs: 15_000,
    body: html`<div class="head">
        <h1>Instances</h1>
        <p class="dim" id="total" data-part>${countOf(total, 'machine')}</p>
      </div>
      <form class="filters" method="get" action="${PAGE_PREFIX}instances" role="search">
        <div class="grow">
          <label for="q">Machine id or alias</label
          ><input
            id="q"
            name="q"
            value="${search}"
            maxlength="128"
            placeholder="part of it"
            spellcheck="false"
            autocomplete="off"
          />
        </div>
        <div>
          <label for="group">Group</label
          ><select id="group" name="group">
            <option value="">all</option>
            ${groups.map((name) => html`<option${name === group && html` selected`}>${name}</option>`)}
          </select>
        </div>
        <div>
          <label for="state">State</label
          ><select id="state" name="state">
            <option value="">any</option>
            ${STATE_FILTERS.map((each) => html`<option value="${each}" ${each === state && html` selected`}>${STATE_LABELS[each]}</option>`)}
          </select>
        </div>
        <button class="main">Show</button>
      </form>
      ${part('list', 'panel', lines.length === 0 ? empty(query) : table(lines, now))}
      <nav class="pages" aria-label="Pages">
        ${after === '' ? html`<span></span>` : html`<a href="${hrefOf({...query, after: ''})}">First page</a>`}${lines.length > 0 && html`<span class="dim">${formatCount(lines.length)} of ${formatCount(total)} shown</span>`}${next === null ? html`<span></span>` : html`<a rel="next" href="${hrefOf({...query, after: next})}">Next page</a>`}
      </nav>`,
  };
}

function table(lines: readonly InstanceLine[], now: number): Html {
  return html`<div class="scroll">
    <table class="lines">
      <thead>
        <tr>
          <th scope="col">Machine</th>
          <th scope="col" class="wide">Group</th>
          <th scope="col">Runs</th>
          <th scope="col">State</th>
          <th scope="col">Last seen</th>
        </tr>
      </thead>
      <tbody>
        ${lines.map(
          ({id, alias, group, version, progress, lastSeenAt}) =>
            html`<tr>
              <th scope="row">
                <a href="${instanceHref(id)}"
                  ><span class="id">${id}</span
                  >${alias !== '' && html` <span class="alias">${alias}</span>`}</a
                >
              </th>
              <td class="wide"><a class="quiet-link" href="${groupHref(group)}">${group}</a></td>
              <td class="version">${version}</td>
              <td>${stateMark(progressName({progress}))}</td>
              <td>${ago(lastSeenAt, now)}</td>
            </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}

function empty({search, group, state, after}: InstanceQuery): Html {
  if (search === '' && group === null && state === null && after === '')
    return html`<p class="empty">
      No machine has asked yet. Hosts appear here with their first question; <code>SERVER=</code> in their
      <code>update.conf</code> names this server.
    </p>`;
  return html`<p class="empty">
    No machine is like that. <a href="${PAGE_PREFIX}instances">All machines</a>
  </p>`;
}

function hrefOf({search, group, state, after}: InstanceQuery): string {
  const query = new URLSearchParams({
    ...(search === '' ? {} : {q: search}),
    ...(group === null ? {} : {group}),
    ...(state === null ? {} : {state}),
    ...(after === '' ? {} : {after}),
  }).toString();
  return `${PAGE_PREFIX}instances${query === '' ? '' : `?${query}`}`;
}
