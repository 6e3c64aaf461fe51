/** Sizes against their budgets, /usr also as it travels. Uses the newest release in out/. */
import {stat} from 'node:fs/promises';
import {join} from 'node:path';
import {DEFAULT_OUT_DIR, ROOT_DIR} from '../cli/paths.ts';
import {findRelease} from '../cli/releases.ts';
import {readDefinition} from '../build/main.ts';
import {exec} from '../platform/exec.ts';
import type {Figure} from './figure.ts';

export async function benchSize(workDir: string, say: (text: string) => void): Promise<Figure[]> {
  const {budgets} = await readDefinition({rootDir: ROOT_DIR});
  const {directory, release} = await findRelease(DEFAULT_OUT_DIR, undefined);
  say('size: compressing /usr with zstd -19, which takes minutes');
  const compressed = join(workDir, 'usr.zst');
  await exec(['zstd', '-19', '-T0', '-q', '-o', compressed, join(directory, 'usr.img')]);
  const megabytes = (bytes: number): number => Math.round(bytes / 1e5) / 10;
  return [
    {
      what: '/usr on disk',
      value: megabytes(release.usr.bytes),
      unit: 'MB',
      target: `at most ${megabytes(budgets.usr)} MB`,
    },
    {
      what: '/usr as zstd -19',
      value: megabytes((await stat(compressed)).size),
      unit: 'MB',
      target: `at most ${megabytes(budgets['usr-compressed'])} MB`,
    },
    {
      what: 'UKI',
      value: megabytes(release.sizes['uki']?.bytes ?? 0),
      unit: 'MB',
      target: `at most ${megabytes(budgets.uki)} MB`,
    },
  ];
}
