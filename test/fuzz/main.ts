/**
 * Mutations by the million, for a nightly run: `npm run fuzz -- payload --count 1000000`. Without a name, all targets.
 * The unit tests run a slice of each.
 */
import {parseArgs} from 'node:util';
import {answerTarget} from './answer.ts';
import {applyTarget, patchTarget} from './apply.ts';
import {cloudConfigTarget} from './cloud-config.ts';
import {fatTarget, gptTarget} from './disk.ts';
import {ignitionTarget} from './ignition.ts';
import {omahaTarget} from './omaha.ts';
import {payloadTarget} from './payload.ts';
import {type FuzzTarget, runFuzz} from './target.ts';

const TARGETS: readonly FuzzTarget[] = [
  fatTarget,
  gptTarget,
  omahaTarget,
  answerTarget,
  payloadTarget,
  applyTarget,
  patchTarget,
  cloudConfigTarget,
  ignitionTarget,
];
const DEFAULT_COUNT = 100_000;

const {values, positionals} = parseArgs({
  allowPositionals: true,
  options: {seed: {type: 'string'}, count: {type: 'string'}, from: {type: 'string'}},
});
const unknown = positionals.filter((name) => !TARGETS.some((target) => target.name === name));
if (unknown.length > 0) {
  console.error(`no target ${unknown.join(', ')}; there are:`);
  for (const {name, what} of TARGETS) console.error(`  ${name.padEnd(12)} ${what}`);
  process.exit(2);
}
// Chance by the clock, so that every night looks elsewhere; a failure prints it.
const seed = wholeNumber('seed', values.seed, Date.now() % 2 ** 31);
const count = wholeNumber('count', values.count, DEFAULT_COUNT);
const from = wholeNumber('from', values.from, 0);
for (const target of TARGETS.filter(({name}) => positionals.length === 0 || positionals.includes(name))) {
  const onProgress = (index: number): void => {
    if (process.stderr.isTTY) process.stderr.write(`\r${target.name}: ${index}`);
  };
  try {
    const {mutations, seconds, slowestMs} = await runFuzz(target, {seed, from, count, onProgress});
    const rate = Math.round(mutations / seconds);
    console.log(
      `${target.name}: ${mutations} mutations of seed ${seed} in ${seconds.toFixed(1)} s of processor time, ${rate} a second, slowest ${slowestMs.toFixed(1)} ms`,
    );
  } catch (error) {
    console.error(error);
    process.exitCode = 1;
  }
}

function wholeNumber(name: string, text: string | undefined, fallback: number): number {
  if (text === undefined) return fallback;
  if (/^\d{1,12}$/.test(text)) return Number(text);
  console.error(`--${name} is a whole number, got ${text}`);
  process.exit(2);
}
