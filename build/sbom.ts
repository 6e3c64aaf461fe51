/**
 * The software bill of materials of a release: the packages whose files are in the image, and those that made it.
 * Packages that were dropped after they had configured the others count among the latter. Packages of npm are those whose
 * code is in the programs of the host.
 */
import {type NpmPackage, type SpdxPackage, encodeSpdx} from '../formats/spdx.ts';
import type {Definition} from './definition.ts';
import type {LockedPackage, PackageLock, PackageSet} from './lock.ts';

export function encodeSbom(
  definition: Definition,
  lock: PackageLock,
  npmPackages: readonly NpmPackage[],
): string {
  const dropped = new Set(definition.packages.drop);
  const entries = new Map<string, SpdxPackage>();
  function add(set: PackageSet, packages: readonly LockedPackage[]): void {
    for (const entry of packages) {
      const {name, version, architecture, sha256} = entry;
      // A package of the image is listed as that, also when a tool needed it too.
      if (entries.has(sha256)) continue;
      entries.set(sha256, {
        name,
        version,
        architecture,
        sha256,
        sourceName: entry.source,
        sourceVersion: entry.sourceVersion,
        set,
      });
    }
  }
  add(
    'os',
    lock.os.filter(({name}) => !dropped.has(name)),
  );
  add('unpack', lock.unpack);
  add('kernel', lock.kernel);
  add('tools', [...lock.tools, ...lock.os]);
  return encodeSpdx({
    name: definition.id,
    version: definition.version,
    namespaceBase: `${definition.home.replace(/\/$/, '')}/spdx`,
    tool: 'caisson-1',
    created: lock.sourceDate,
    distribution: 'debian-13',
    packages: [...entries.values()],
    npmPackages,
  });
}
