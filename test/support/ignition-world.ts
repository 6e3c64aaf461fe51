/**
 * A first boot in a folder, with the real Ignition of the release under test: configs are found, fetched, merged and
 * checked as on a machine; what would change the machine (mounts, units, cards) is passed over.
 */
import {chmod, mkdir, mkdtemp, readFile, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {dirname, join} from 'node:path';
import type {TestContext} from 'node:test';
import {ROOT_DIR} from '../../cli/paths.ts';
import {exec} from '../../platform/exec.ts';
import {FIRMWARE_NAMES, IGNITION_PATHS} from '../../update-engine/ignition/paths.ts';
import type {FirstBootHost} from '../../update-engine/ignition/host.ts';
import {configureFirstBoot} from '../../update-engine/ignition/run.ts';
import {readReleaseLock, unpackPackages} from './unpacked-packages.ts';

export interface FirstBootEnd {
  /** Null if the host was configured. */
  readonly error: Error | null;
  /** Lines for whoever stands before the machine. */
  readonly shown: readonly string[];
  /** Lines of the journal. */
  readonly noted: readonly string[];
  /** Ignition's stages that were begun. */
  readonly stages: readonly string[];
  /** Of a file on ROOT. */
  read(path: string): Promise<string>;
}

/** Where Debian's package has it. */
const PROGRAM = 'usr/lib/dracut/modules.d/30ignition/ignition';

/** Throws when no release was built yet: its lock says which Ignition it is. */
export async function ignitionProgram(): Promise<string> {
  const {unpack} = await readReleaseLock();
  const found = unpack.find(({name}) => name === 'ignition');
  if (found === undefined) throw new Error('the release has no Ignition');
  const folder = join(ROOT_DIR, 'out/test-ignition', found.sha256.slice(0, 16));
  await unpackPackages(folder, [found]);
  return join(folder, PROGRAM);
}

/** `config` lies in QEMU's firmware configuration; `lookEveryMs` takes the place of the pause before requests are looked at. */
export async function firstBoot(
  t: TestContext,
  config: string | Uint8Array,
  {lookEveryMs = 20_000}: {lookEveryMs?: number} = {},
): Promise<FirstBootEnd> {
  const program = await ignitionProgram();
  const root = await mkdtemp(join(tmpdir(), 'ignition-world-'));
  t.after(() => rm(root, {recursive: true, force: true}));
  const put = async (path: string, data: string | Uint8Array): Promise<void> => {
    await mkdir(dirname(join(root, path)), {recursive: true});
    await writeFile(join(root, path), data);
  };
  await put(IGNITION_PATHS.commandLine, 'quiet\n');
  await put(`${IGNITION_PATHS.marker}/x`, '');
  await put(`${IGNITION_PATHS.firmware}/${FIRMWARE_NAMES[0]}/raw`, config);
  await put('/etc/x', '');
  await mkdir(join(root, '/sys/class/net'), {recursive: true});
  // What is found by PATH: no labels, as on the host.
  await put(`${IGNITION_PATHS.programs}/setfiles`, '#!/bin/sh\n');
  await chmod(join(root, IGNITION_PATHS.programs, 'setfiles'), 0o755);
  await mkdir(join(root, IGNITION_PATHS.target, 'etc/selinux'), {recursive: true});
  await writeFile(join(root, IGNITION_PATHS.target, 'etc/selinux/config'), 'SELINUXTYPE=none\n');
  const [shown, noted, stages]: string[][] = [[], [], []];
  const host: FirstBootHost = {
    root,
    async exec([name, ...args], options) {
      if (name === 'curl') return exec([name, ...args], options);
      const stage = args.find((word) => word.startsWith('--stage='))?.slice('--stage='.length);
      if (stage === undefined) return {stdout: '', stderr: '', exitCode: 0};
      stages?.push(stage);
      const places = [
        `--config-cache=${join(root, IGNITION_PATHS.merged)}`,
        `--neednet=${join(root, IGNITION_PATHS.needsNetwork)}`,
        `--state-file=${join(root, IGNITION_PATHS.work, 'state')}`,
      ];
      const path = `${join(root, IGNITION_PATHS.programs)}:${process.env['PATH']}`;
      return exec([program, ...args, ...places], {...options, env: {...options?.env, PATH: path}});
    },
    note: (text) => void noted?.push(text),
    show: (text) => void shown?.push(text),
    now: Date.now,
    sleep: (_ms, signal) =>
      new Promise((resolve) => {
        const timer = setTimeout(resolve, lookEveryMs);
        signal?.addEventListener('abort', () => {
          clearTimeout(timer);
          resolve();
        });
      }),
  };
  const error = await configureFirstBoot(host).then(
    () => null,
    (thrown: unknown) => thrown as Error,
  );
  return {
    error,
    shown: shown ?? [],
    noted: noted ?? [],
    stages: stages ?? [],
    read: (path) => readFile(join(root, path), 'utf8'),
  };
}
