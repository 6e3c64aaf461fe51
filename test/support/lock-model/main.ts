/** `npm run model-check -- --operations 10000 --hosts 200 --seed N`: ends with 1 when there is a fault. */
import {parseArgs} from 'node:util';
import {describeModelCheck, runModelCheck} from './run.ts';

const {values} = parseArgs({
  options: {
    operations: {type: 'string', default: '10000'},
    hosts: {type: 'string', default: '200'},
    seed: {type: 'string'},
  },
});

function wholeNumber(name: string, text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  console.error(`--${name} must be a whole number, got ${text}`);
  process.exit(2);
}

// Chance by the clock, so that every run looks elsewhere; it is printed.
const seed = wholeNumber('seed', values.seed ?? String(Date.now() % 1e9));
console.log(`seed           ${seed}`);
const result = await runModelCheck({
  operations: wholeNumber('operations', values.operations),
  hosts: wholeNumber('hosts', values.hosts),
  seed,
  onProgress(done) {
    if (process.stderr.isTTY && done % 100 === 0) process.stderr.write(`\r${done}`);
  },
});
console.log(describeModelCheck(result));
process.exitCode = result.faults.length === 0 ? 0 : 1;
