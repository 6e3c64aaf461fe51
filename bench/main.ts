/**
 * The benchmarks: `npm run bench [NAME...]`, all of them without a name. Each measures on this machine, now, and where
 * there is a peer it runs in the same run. Figures are printed as a table for README and as JSON with --json.
 */
import {mkdtemp, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {parseArgs} from 'node:util';
import {benchApply} from './apply.ts';
import {benchBoot} from './boot.ts';
import {benchBuild} from './build.ts';
import {benchIdle} from './idle.ts';
import {benchMkosi} from './mkosi.ts';
import type {Figure} from './figure.ts';
import {benchPayload} from './payload.ts';
import {benchServer} from './server.ts';
import {benchSize} from './size.ts';

const BENCHES: Readonly<Record<string, (workDir: string, say: (text: string) => void) => Promise<Figure[]>>> =
  {
    build: benchBuild,
    mkosi: benchMkosi,
    size: benchSize,
    boot: benchBoot,
    idle: benchIdle,
    payload: benchPayload,
    apply: benchApply,
    server: benchServer,
  };

const {values, positionals} = parseArgs({
  options: {json: {type: 'boolean', default: false}},
  allowPositionals: true,
});
const names = positionals.length > 0 ? positionals : Object.keys(BENCHES);
const unknown = names.filter((name) => BENCHES[name] === undefined);
if (unknown.length > 0) {
  console.error(`bench: no benchmark ${unknown.join(', ')} (hint: ${Object.keys(BENCHES).join(', ')})`);
  process.exit(2);
}

const workDir = await mkdtemp(join(tmpdir(), 'caisson-bench-'));
try {
  const figures: Figure[] = [];
  for (const name of names)
    figures.push(...((await BENCHES[name]?.(workDir, (text) => console.error(text))) ?? []));
  if (values.json) console.log(JSON.stringify(figures, undefined, 2));
  else {
    console.log('| what | figure | target |\n| --- | --- | --- |');
    for (const {what, value, unit, target} of figures)
      console.log(`| ${what} | ${value} ${unit} | ${target ?? ''} |`);
  }
} finally {
  await rm(workDir, {recursive: true, force: true});
}
