/** How long builds take: from nothing but packages, with nothing changed, and with one overlay file changed. */
import {appendFile} from 'node:fs/promises';
import {join} from 'node:path';
import {makeCheckout} from './checkout.ts';
import {type Figure, measureSeconds} from './figure.ts';

export async function benchBuild(workDir: string, say: (text: string) => void): Promise<Figure[]> {
  const checkout = await makeCheckout(workDir);
  say('build: clean, with the packages in the cache');
  const clean = await measureSeconds(() => checkout.build());
  say('build: nothing changed');
  const unchanged = await measureSeconds(() => checkout.build());
  say('build: one overlay file changed');
  await appendFile(join(checkout.directory, 'overlays/os/etc/issue'), 'changed\n');
  const overlay = await measureSeconds(() => checkout.build());
  return [
    {what: 'clean build, packages cached', value: clean, unit: 's', target: 'at most 100 s'},
    {what: 'build with nothing changed', value: unchanged, unit: 's', target: 'under 3 s'},
    {what: 'build with an overlay file changed', value: overlay, unit: 's'},
  ];
}
