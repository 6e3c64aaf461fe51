/**
 * The versions of a group over time, as SVG made on the server: one band for each version, the newest on top. Colours
 * come from the style sheet, so that they follow light and dark, and are told apart by people who see fewer of them; a
 * legend with numbers and a table say the same in words.
 *
 * Rejected: a library that draws in the browser. The page works without script, and a band is a dozen lines.
 */
import {compareVersions, isVersion} from '../../formats/version.ts';
import {countTicks, timeTicks} from './axis.ts';
import {type Html, html} from './html.ts';
import type {Sample, VersionCount} from './model.ts';
import {formatMinute} from '../../formats/units.ts';
import {formatCount, formatPart} from './words.ts';

/** Colours that the style sheet has; what is older than these versions shares the last band. */
const MAX_BANDS = 6;
const OTHERS = 'older';
const [WIDTH, HEIGHT] = [1080, 280];
const [LEFT, RIGHT, TOP, BOTTOM] = [56, 28, 10, 28];
const [Y_STEPS, X_STEPS] = [4, 8];
/** A curve with more points than pixels says no more. */
const MAX_POINTS = 500;
const MAX_ROWS = 24;

export interface Band {
  readonly label: string;
  /** At each of the samples. */
  readonly machines: readonly number[];
}

/** Newest version first; a version that never ran on a machine within the time has none. */
export function bandsOf(samples: readonly Sample[]): readonly Band[] {
  const versions = newestFirst([
    ...new Set(
      samples.flatMap(({counts}) => counts.filter(({machines}) => machines > 0).map(({version}) => version)),
    ),
  ]);
  const named = versions.length > MAX_BANDS ? versions.slice(0, MAX_BANDS - 1) : versions;
  const bands = named.map((version) => ({
    label: version,
    machines: samples.map(({counts}) => machinesOf(counts, version)),
  }));
  if (named.length === versions.length) return bands;
  const rest = samples.map(({counts}) =>
    counts.reduce((sum, {version, machines}) => sum + (named.includes(version) ? 0 : machines), 0),
  );
  return [...bands, {label: OTHERS, machines: rest}];
}

export function newestFirst(versions: readonly string[]): readonly string[] {
  // Hosts may call themselves anything; what is no version is older than all that are.
  return [...versions].sort((a, b) => {
    if (isVersion(a) && isVersion(b)) return compareVersions(b, a);
    return Number(isVersion(b)) - Number(isVersion(a)) || (a < b ? -1 : 1);
  });
}

/** `samples`: oldest first. */
export function versionChart(all: readonly Sample[], title: string): Html {
  const samples = thinned(all);
  const [first, last] = [samples[0], samples.at(-1)];
  if (first === undefined || last === undefined || last.at === first.at)
    return html`<p class="empty">The chart begins with the next samples: one is taken every ten minutes.</p>`;
  const bands = bandsOf(samples);
  const totals = samples.map((_, index) =>
    bands.reduce((sum, {machines}) => sum + (machines[index] ?? 0), 0),
  );
  const ticks = countTicks(Math.max(1, ...totals), Y_STEPS);
  const top = ticks.at(-1) ?? 1;
  const x = (at: number): number => LEFT + ((WIDTH - LEFT - RIGHT) * (at - first.at)) / (last.at - first.at);
  const y = (machines: number): number => HEIGHT - BOTTOM - ((HEIGHT - TOP - BOTTOM) * machines) / top;
  const now = last.counts.map(({version, machines}) => `${version} on ${machines}`).join(', ');
  return html`<figure class="chart">
    <div class="plot">
      <svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-labelledby="chart-title chart-desc">
        <title id="chart-title">${title}</title>
        <desc id="chart-desc">
          From ${formatMinute(first.at)} to ${formatMinute(last.at)} UTC. Now:
          ${now === '' ? 'no machines' : now}.
        </desc>
        <g class="grid">
          ${ticks.map(
            (tick) =>
              html`<path d="M${LEFT} ${y(tick).toFixed(1)}H${WIDTH - RIGHT}"></path
                ><text x="${LEFT - 8}" y="${(y(tick) + 4).toFixed(1)}" text-anchor="end"
                  >${formatCount(tick)}</text
                >`,
          )}
        </g>
        ${areas(bands, samples, x, y)}
        <g class="grid">
          ${timeTicks(first.at, last.at, X_STEPS).map(
            ({at, label}) =>
              html`<path class="tick" d="M${x(at).toFixed(1)} ${HEIGHT - BOTTOM}v5"></path
                ><text x="${x(at).toFixed(1)}" y="${HEIGHT - BOTTOM + 19}" text-anchor="middle"
                  >${label}</text
                >`,
          )}
        </g>
      </svg>
    </div>
    <figcaption>${legend(bands, last)}</figcaption>
    ${table(bands, samples)}
  </figure>`;
}

function areas(
  bands: readonly Band[],
  samples: readonly Sample[],
  x: (at: number) => number,
  y: (machines: number) => number,
): readonly Html[] {
  // The oldest lies at the bottom, so that a release that is taken up grows from above into what it takes over.
  let below = samples.map(() => 0);
  return bands
    .map((band, index) => ({band, index}))
    .reverse()
    .map(({band: {label, machines}, index}) => {
      const base = below;
      below = base.map((value, at) => value + (machines[at] ?? 0));
      const point = (value: number, at: number): string =>
        `${x(samples[at]?.at ?? 0).toFixed(1)} ${y(value).toFixed(1)}`;
      const path = [...below.map(point), ...base.map(point).reverse()].join('L');
      return html`<path class="band v${label === OTHERS ? MAX_BANDS : index}" d="M${path}Z"
        ><title>${label}: ${formatCount(machines.at(-1) ?? 0)} now</title></path
      >`;
    });
}

function legend(bands: readonly Band[], last: Sample): Html {
  const total = last.counts.reduce((sum, {machines}) => sum + machines, 0);
  return html`<ul class="legend">
    ${bands.map(({label, machines}, index) => {
      const now = machines.at(-1) ?? 0;
      return html`<li${now === 0 && html` class="gone"`}><i class="swatch v${label === OTHERS ? MAX_BANDS : index}"></i><span class="version">${label}</span> <span class="num">${formatCount(now)}</span> <span class="dim">${formatPart(now, total)}</span></li>`;
    })}
  </ul>`;
}

/** The same for whoever does not see it, or wants numbers. */
function table(bands: readonly Band[], samples: readonly Sample[]): Html {
  const step = Math.max(1, Math.ceil(samples.length / MAX_ROWS));
  const rows = samples
    .map((sample, index) => ({sample, index}))
    .reverse()
    .filter((_, index) => index % step === 0);
  return html`<details id="chart-table">
    <summary>As a table</summary>
    <div class="scroll">
      <table>
        <thead>
          <tr>
            <th scope="col">Time (UTC)</th>
            ${bands.map(({label}) => html`<th scope="col" class="num">${label}</th>`)}
          </tr>
        </thead>
        <tbody>
          ${rows.map(
            ({sample, index}) =>
              html`<tr>
                <th scope="row">${formatMinute(sample.at)}</th>
                ${bands.map(({machines}) => html`<td class="num">${formatCount(machines[index] ?? 0)}</td>`)}
              </tr>`,
          )}
        </tbody>
      </table>
    </div>
  </details>`;
}

/** Evenly, with the first and the last. */
function thinned(samples: readonly Sample[]): readonly Sample[] {
  const step = Math.ceil(samples.length / MAX_POINTS);
  return step <= 1
    ? samples
    : samples.filter((_, index) => index % step === 0 || index === samples.length - 1);
}

function machinesOf(counts: readonly VersionCount[], version: string): number {
  return counts.find((each) => each.version === version)?.machines ?? 0;
}
