/** A fresh copy of the engine's world for every test, a release server for it, and caissonctl at hand. */
import {cp, mkdtemp, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {after, afterEach, beforeEach} from 'node:test';
import type {ReleaseServer} from '../../server/serve.ts';
import {isLockCommand, parseCommand} from '../../update-engine/ctl/arguments.ts';
import {runCommand} from '../../update-engine/ctl/run.ts';
import {readSlotsNow} from '../../update-engine/slots/slots-now.ts';
import {imageSlotDisk} from '../../update-engine/slots/slot-disk.ts';
import {captureTerminal} from './captured-terminal.ts';
import {type EngineChanges, type RunningEngine, startEngine} from './engine-process.ts';
import {type EngineWorld, makeEngineWorld, serveWorld, writeConf} from './engine-world.ts';

export interface EngineBench {
  world(): EngineWorld;
  server(): ReleaseServer;
  /** Stopped after the test, if not before. */
  start(changes?: EngineChanges): Promise<RunningEngine>;
  /** Each slot with its bits. */
  bits(): Promise<string[]>;
}

/** Sets up the hooks of a test file. The server offers 1.1.0. */
export async function engineBench(versions: readonly string[]): Promise<EngineBench> {
  const folder = await mkdtemp(join(tmpdir(), 'engine-'));
  const original = await makeEngineWorld(join(folder, 'original'), versions);
  let world = original;
  let server: ReleaseServer;
  let engines: RunningEngine[] = [];
  let count = 0;

  beforeEach(async () => {
    count += 1;
    const copy = join(folder, String(count));
    await cp(original.folder, copy, {recursive: true});
    const inCopy = (path: string): string => path.replace(original.folder, copy);
    const paths: Record<string, string> = Object.fromEntries(
      Object.entries(original.paths).map(([name, path]) => [name, inCopy(path)]),
    );
    world = {
      ...original,
      folder: copy,
      disk: inCopy(original.disk),
      served: inCopy(original.served),
      paths: paths as EngineWorld['paths'],
      payloadOf: (version) => inCopy(original.payloadOf(version)),
    };
    server = await serveWorld(world, '1.1.0');
    await writeConf(world, {
      SERVER: `${server.url}/v1/update/`,
      GROUP: 'stable',
      REBOOT_STRATEGY: 'off',
    });
    engines = [];
  });
  afterEach(async () => {
    for (const engine of engines) await engine.stop();
    await server.close(0);
    await rm(world.folder, {recursive: true});
  });
  after(() => rm(folder, {recursive: true}));

  return {
    world: () => world,
    server: () => server,
    async start(changes = {}) {
      const engine = await startEngine(world, changes);
      engines.push(engine);
      return engine;
    },
    bits: async () =>
      (await readSlotsNow(imageSlotDisk(world.disk))).slots.map(
        ({letter, priority, tries, successful}) => `${letter} ${priority} ${tries} ${String(successful)}`,
      ),
  };
}

export interface CtlResult {
  code: number;
  out: string;
  notes: string;
}

/** Runs caissonctl as an operator would; gives what it printed and its exit code. */
export async function ctl(engine: RunningEngine, line: string): Promise<CtlResult> {
  const {terminal, printed} = captureTerminal();
  const command = parseCommand(line.split(' '));
  if (isLockCommand(command)) throw new Error(`${line} is not for the engine`);
  const code = await runCommand(command, engine.client, terminal);
  return {code, ...printed()};
}

export const isRest = ({state}: {state: string}): boolean =>
  state === 'IDLE' || state === 'UPDATED_NEED_REBOOT';
