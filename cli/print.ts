/** A release as people read it. */
import type {MadeRelease} from '../build/release.ts';
import {describeSize} from '../build/budgets.ts';
import type {Release} from '../formats/release.ts';
import {formatBytes} from '../formats/units.ts';

export function printRelease({directory, release, isUnchanged}: MadeRelease, asJson: boolean): void {
  if (asJson) {
    process.stdout.write(
      `${JSON.stringify({directory, unchanged: isUnchanged, ...release}, undefined, 2)}\n`,
    );
    return;
  }
  const lines = [
    `${release.name} ${release.version} (${release.buildId}), channel ${release.channel}, Linux ${release.kernelRelease}, ${release.packages} packages`,
    ...Object.entries(release.sizes).map(([what, size]) => `  ${describeSize({what, ...size})}`),
    `  updates signed with: ${keysText(release.updateKeys) || 'no key; its hosts refuse every update'}`,
    ...(release.channelKeys.length === 0 ? [] : [`  channels signed with: ${keysText(release.channelKeys)}`]),
    ...Object.entries(release.files).map(([name, {bytes}]) => `  ${name.padEnd(20)} ${formatBytes(bytes)}`),
    `${isUnchanged ? 'Nothing has changed since the last build' : 'Built'}: ${directory}`,
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
}

function keysText(keys: Release['updateKeys']): string {
  return keys.map(({name, sha256}) => `${name} (${sha256.slice(0, 16)}...)`).join(', ');
}
