/** The words and the order for where machines are in a rollout, for bars, tiles and filters alike. */
import {type Html, html} from './html.ts';
import {PAGE_PREFIX} from './layout.ts';
import type {GroupState, StateFilter} from './model.ts';
import type {ProgressName} from '../rollout/tally.ts';
import {formatCount, formatPart} from './words.ts';

export const STATE_LABELS: Readonly<Record<StateFilter, string>> = {
  done: 'Up to date',
  waiting: 'Waiting',
  granted: 'Granted',
  downloading: 'Downloading',
  downloaded: 'Installing',
  installed: 'Waiting for reboot',
  lost: 'Did not come back',
  'rolled-back': 'Rolled back',
  'gave-up': 'Gave up',
  aside: 'Nothing for them',
  silent: 'Silent',
};

/** From what is finished to what is not, then what went wrong: the order of the bars. */
export const BAR_ORDER: readonly ProgressName[] = [
  'done',
  'installed',
  'downloaded',
  'downloading',
  'granted',
  'waiting',
  'aside',
  'lost',
  'gave-up',
  'rolled-back',
];

export function stateMark(state: StateFilter): Html {
  return html`<span class="state"><i class="dot s-${state}"></i>${STATE_LABELS[state]}</span>`;
}

export function stateHref(group: string | null, state: StateFilter | null): string {
  const query = new URLSearchParams({
    ...(group === null ? {} : {group}),
    ...(state === null ? {} : {state}),
  }).toString();
  return `${PAGE_PREFIX}instances${query === '' ? '' : `?${query}`}`;
}

const WIDTH = 1000;

/** All machines of a group in one bar. Said in words for whoever does not see it. */
export function stateBar({counts, machines, name}: GroupState): Html {
  const shown = BAR_ORDER.filter((state) => counts[state] > 0);
  const words = shown.map((state) => `${STATE_LABELS[state]}: ${formatCount(counts[state])}`).join(', ');
  let x = 0;
  return html`<svg
    class="bar"
    viewBox="0 0 ${WIDTH} 12"
    preserveAspectRatio="none"
    role="img"
    aria-label="${name}: ${words === '' ? 'no machines' : words}"
  >
    <rect class="bar-back" width="${WIDTH}" height="12"></rect>
    ${shown.map((state) => {
      const width = (WIDTH * counts[state]) / machines;
      const left = x;
      x += width;
      // One machine of many is still to be seen.
      return html`<rect
        class="f-${state}"
        x="${left.toFixed(2)}"
        width="${Math.max(width, 3).toFixed(2)}"
        height="12"
        ><title>
          ${STATE_LABELS[state]}: ${formatCount(counts[state])} (${formatPart(counts[state], machines)})
        </title></rect
      >`;
    })}
  </svg>`;
}
