/**
 * Which packages a release has, from its bill of materials, and what changed against another; pure. The document was
 * uploaded by somebody: what is not as it should be is no list, and the page says that none is known.
 */
import {z} from '../../formats/schema.ts';
import type {PackageChange} from './model.ts';

/** Name to versions; one package may be there in two, in the system and in its initrd. */
export type PackageList = ReadonlyMap<string, string>;

const MAX_PACKAGES = 20_000;
const text = z.string().max(256);
const sbomSchema = z.object({
  packages: z.array(z.object({SPDXID: text, name: text, versionInfo: text.optional()})).max(MAX_PACKAGES),
  relationships: z
    .array(z.object({spdxElementId: text, relationshipType: text, relatedSpdxElement: text}))
    .max(4 * MAX_PACKAGES),
});

/** What the image contains, without the tools that made it; null for what is no such document. */
export function readPackages(sbom: string): PackageList | null {
  let value: unknown;
  try {
    value = JSON.parse(sbom);
  } catch {
    return null;
  }
  const read = sbomSchema.safeParse(value);
  if (!read.success) return null;
  const {packages, relationships} = read.data;
  const contained = new Set(
    relationships
      .filter(({relationshipType}) => relationshipType === 'CONTAINS')
      .map(({relatedSpdxElement}) => relatedSpdxElement),
  );
  const versions = new Map<string, Set<string>>();
  for (const {SPDXID, name, versionInfo} of packages) {
    if (!contained.has(SPDXID) || versionInfo === undefined) continue;
    const known = versions.get(name) ?? new Set();
    versions.set(name, known.add(versionInfo));
  }
  return new Map([...versions].map(([name, found]) => [name, [...found].sort().join(', ')]));
}

/** By name. */
export function comparePackages(before: PackageList, after: PackageList): readonly PackageChange[] {
  const names = [...new Set([...before.keys(), ...after.keys()])].sort();
  return names
    .map((name) => ({name, before: before.get(name) ?? null, after: after.get(name) ?? null}))
    .filter((change) => change.before !== change.after);
}
