/** What the firmware starts: the selector, and the UKI that it picks. */
import {mkdir, readFile, rm, stat, truncate} from 'node:fs/promises';
import {join} from 'node:path';
import {BLOCK_BYTES} from '../../formats/payload/types.ts';
import {fingerprintTree} from '../../platform/files.ts';
import {kernelCommandLine} from '../../image/command-line.ts';
import {selectorCommands} from '../../image/selector/build.ts';
import type {StepResults} from '../engine.ts';
import type {Toolbox} from '../toolbox.ts';
import type {StepContext} from './context.ts';
import type {BuildStep} from './sources.ts';
import {INITRD_FILE} from './initrd.ts';
import {KERNEL_FILE, KERNEL_RELEASE_FILE} from './kernel.ts';
import {OS_RELEASE_FILE, SELECTOR_FILE, readUsrFacts} from './usr.ts';

export const UKI_FILE = 'usr.efi';

/** Where Debian's package systemd-boot-efi keeps the stub, in the tools tree. */
const STUB = '/usr/lib/systemd/boot/efi/linuxx64.efi.stub';

export function selectorStep({rootDir, lock, toolbox, scratchDir}: StepContext): BuildStep {
  const source = join(rootDir, 'image/selector');
  return {
    name: 'selector',
    title: 'Compiling the selector',
    needs: ['tools-tree'],
    sources: ['build/steps/boot.ts'],
    async inputs() {
      const prints = Object.entries(await fingerprintTree(source)).filter(([path]) =>
        /^[^/]+\.(c|h|lds)$/.test(path),
      );
      return Object.fromEntries(prints.map(([path, print]) => [`image/selector/${path}`, print]));
    },
    async run(out) {
      const work = join(scratchDir, 'selector');
      await mkdir(work);
      const {commands, output} = selectorCommands(source, work);
      const env = {SOURCE_DATE_EPOCH: String(lock.sourceDate)};
      for (const argv of commands) await toolbox.run(argv, {env});
      await toolbox.run(['cp', output, join(out, SELECTOR_FILE)]);
      await rm(work, {recursive: true});
    },
  };
}

export function ukiStep({definition, lock, toolbox}: StepContext): BuildStep {
  return {
    name: 'uki',
    title: 'Making the UKI',
    needs: ['tools-tree', 'usr', 'kernel', 'initrd'],
    sources: ['build/steps/boot.ts'],
    inputs: () =>
      Promise.resolve({
        'kernel.arguments': JSON.stringify(definition.kernel.arguments),
        'source date': String(lock.sourceDate),
      }),
    async run(out, _progress, needed) {
      const facts = await readUsrFacts(needed.get('usr')?.directory ?? '');
      await makeUki({
        toolbox,
        needed,
        sourceDate: lock.sourceDate,
        initrd: join(needed.get('initrd')?.directory ?? '', INITRD_FILE),
        commandLine: kernelCommandLine(definition.kernel.arguments, facts),
        out: join(out, UKI_FILE),
      });
      await fillLastBlock(join(out, UKI_FILE));
    },
  };
}

export interface UkiOptions {
  toolbox: Toolbox;
  /** The kernel and os-release come from `kernel` and `usr`. */
  needed: StepResults;
  sourceDate: number;
  initrd: string;
  commandLine: string;
  out: string;
}

export async function makeUki({
  toolbox,
  needed,
  sourceDate,
  initrd,
  commandLine,
  out,
}: UkiOptions): Promise<void> {
  const [kernel = '', usr = ''] = ['kernel', 'usr'].map((name) => needed.get(name)?.directory);
  const release = (await readFile(join(kernel, KERNEL_RELEASE_FILE), 'utf8')).trim();
  await toolbox.run(
    [
      'ukify',
      'build',
      `--stub=${STUB}`,
      `--linux=${join(kernel, KERNEL_FILE)}`,
      `--initrd=${initrd}`,
      `--os-release=@${join(usr, OS_RELEASE_FILE)}`,
      `--uname=${release}`,
      `--cmdline=${commandLine}`,
      `--output=${out}`,
    ],
    {env: {SOURCE_DATE_EPOCH: String(sourceDate)}},
  );
}

/** Payloads count in blocks: what a host gets by an update is then this file to the last byte. */
async function fillLastBlock(path: string): Promise<void> {
  const {size} = await stat(path);
  await truncate(path, Math.ceil(size / BLOCK_BYTES) * BLOCK_BYTES);
}
