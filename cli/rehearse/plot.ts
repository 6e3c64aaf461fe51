/** A rehearsal as a picture: rows of characters for a terminal, or SVG. Pure. */
import type {Rehearsal, Sample} from './run.ts';

const ROWS = 16;
const HOUR_MS = 3_600_000;

/** `12.5 h`, `3.2 d`. */
export function formatSpan(ms: number): string {
  const hours = ms / HOUR_MS;
  return hours < 72 ? `${hours.toFixed(1)} h` : `${(hours / 24).toFixed(1)} d`;
}

/** A row for a moment: how much of the fleet is good (=), was hit (#), and is on its way (-). */
export function plotText({samples}: Pick<Rehearsal, 'samples'>, machines: number, columns: number): string {
  const chosen = thin(samples, ROWS);
  const rows = chosen.map((sample) => {
    const {ms, granted, good, hit} = sample;
    const numbers = `${String(granted).padStart(8)} ${String(good).padStart(8)} ${String(hit).padStart(6)}`;
    const room = Math.max(10, columns - numbers.length - 14);
    return `${formatSpan(ms).padStart(8)} |${barOf(sample, machines, room)}| ${numbers}`;
  });
  const room = Math.max(10, columns - 24 - 14);
  return [`${''.padStart(8)}  ${''.padEnd(room)}   granted     good    hit`, ...rows].join('\n');
}

function barOf({granted, good, hit}: Sample, machines: number, room: number): string {
  const width = (count: number): number => Math.round((count / machines) * room);
  // Whoever was hit is seen, however few they are.
  const hits = hit === 0 ? 0 : Math.max(1, width(hit));
  const goods = Math.min(width(good), room - hits);
  const rest = Math.min(Math.max(0, width(granted) - goods - hits), room - hits - goods);
  return `${'='.repeat(goods)}${'#'.repeat(hits)}${'-'.repeat(rest)}`.padEnd(room);
}

/** Evenly spread, with the first and the last. */
function thin(samples: readonly Sample[], count: number): readonly Sample[] {
  if (samples.length <= count) return samples;
  return Array.from({length: count}, (_, index) => {
    const at = Math.round((index * (samples.length - 1)) / (count - 1));
    return samples[at];
  }).filter((sample) => sample !== undefined);
}

const WIDTH = 800;
const HEIGHT = 400;
const MARGIN = {left: 70, right: 20, top: 40, bottom: 40};
const LINES = [
  {name: 'granted', color: '#4472c4'},
  {name: 'good', color: '#3c9a5f'},
  {name: 'hit', color: '#c0392b'},
] as const;

export function plotSvg({samples, halt}: Pick<Rehearsal, 'samples' | 'halt'>, machines: number): string {
  const end = Math.max(1, samples.at(-1)?.ms ?? 1);
  const [innerWidth, innerHeight] = [WIDTH - MARGIN.left - MARGIN.right, HEIGHT - MARGIN.top - MARGIN.bottom];
  const x = (ms: number): string => (MARGIN.left + (ms / end) * innerWidth).toFixed(1);
  const y = (count: number): string => (MARGIN.top + (1 - count / machines) * innerHeight).toFixed(1);
  const shares = [0, 0.25, 0.5, 0.75, 1];
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12">`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#ffffff"/>`,
    ...shares.flatMap((share) => [
      `<line x1="${x(0)}" x2="${x(end)}" y1="${y(share * machines)}" y2="${y(share * machines)}" stroke="#dddddd"/>`,
      `<text x="${MARGIN.left - 8}" y="${y(share * machines)}" dy="4" text-anchor="end">${Math.round(share * machines)}</text>`,
      `<text x="${x(share * end)}" y="${HEIGHT - MARGIN.bottom + 18}" text-anchor="middle">${formatSpan(share * end)}</text>`,
    ]),
    ...LINES.flatMap(({name, color}, index) => {
      const points = samples.map((sample) => `${x(sample.ms)},${y(sample[name])}`).join(' ');
      const left = MARGIN.left + index * 90;
      return [
        `<polyline fill="none" stroke="${color}" stroke-width="2" points="${points}"/>`,
        `<rect x="${left}" y="14" width="12" height="12" fill="${color}"/>`,
        `<text x="${left + 18}" y="24">${name}</text>`,
      ];
    }),
    ...(halt === null
      ? []
      : [
          `<line x1="${x(halt.ms)}" x2="${x(halt.ms)}" y1="${MARGIN.top}" y2="${HEIGHT - MARGIN.bottom}" stroke="#c0392b" stroke-dasharray="4 3"/>`,
          `<text x="${x(halt.ms)}" y="${MARGIN.top - 2}" dx="4" fill="#c0392b">halted</text>`,
        ]),
    '</svg>',
  ];
  return `${parts.join('\n')}\n`;
}
