/**
 * The software bill of materials as SPDX 2.3 JSON: one package for the image, one for every Debian package,
 * and one for every npm package with code in the image.
 *
 * The same packages give the same bytes: packages are sorted, the time is an argument, the namespace carries a hash
 * of the rest. Files are not listed; the SHA-256 of each .deb and its purl identify what a scanner needs. Rejected:
 * SPDX 3.0, which scanners read less widely.
 *
 * Formats: SPDX specification 2.3 clauses 6, 7 and 11; package URL specification, types `deb` and `npm`.
 */
import {createHash} from 'node:crypto';
import {parseDebianVersion} from './debian-version.ts';
import {CodedError} from './errors.ts';

export type SpdxErrorCode = 'bad-package' | 'duplicate-package' | 'bad-document';
export class SpdxError extends CodedError<SpdxErrorCode> {}

export interface SpdxPackage {
  name: string;
  version: string;
  architecture: string;
  /** Of the .deb, 64 hex digits in lower case. */
  sha256: string;
  sourceName: string;
  sourceVersion: string;
  /** SPDX licence expression; nothing is asserted when it is left out. */
  licenses?: string;
  /** Packages of `tools` made the image, those of every other set are in it. */
  set: 'os' | 'unpack' | 'kernel' | 'tools';
}

/** A package of npm that was bundled into a program of the image. */
export interface NpmPackage {
  /** With its scope. */
  name: string;
  version: string;
  /** SPDX licence expression; nothing is asserted when it is left out. */
  licenses?: string;
}

export interface SpdxDocument {
  /** Name and version of the image that the document describes. */
  name: string;
  version: string;
  /** `PERSON|ORGANIZATION: name` of who ships the image, for example `Organization: Example`. */
  supplier?: string;
  /** An absolute URI without fragment, under which the document gets a unique address that need not exist. */
  namespaceBase: string;
  /** What wrote the document, as `name-version`. */
  tool: string;
  /** Seconds since 1970. */
  created: number;
  /** Distribution of the packages in purls, for example `debian-13`. */
  distribution: string;
  packages: readonly SpdxPackage[];
  npmPackages?: readonly NpmPackage[];
}

const DOCUMENT_ID = 'SPDXRef-DOCUMENT';
const IMAGE_ID = 'SPDXRef-Image';
const NPM_VERSION = /^\d+\.\d+\.\d+[0-9A-Za-z.+-]{0,100}$/;
const NOTHING_SAID = {
  downloadLocation: 'NOASSERTION',
  filesAnalyzed: false,
  licenseConcluded: 'NOASSERTION',
  copyrightText: 'NOASSERTION',
};

/** The document as JSON text with a newline at its end. Throws SpdxError. */
export function encodeSpdx(input: SpdxDocument): string {
  const packages = [...input.packages].sort((a, b) => compareText(sortKey(a), sortKey(b)));
  packages.forEach(checkPackage);
  const withIds = packages.map((one) => ({id: packageId(one), one}));
  const npmPackages = [...(input.npmPackages ?? [])].sort((a, b) => compareText(npmPurl(a), npmPurl(b)));
  npmPackages.forEach(checkNpmPackage);
  const npmWithIds = npmPackages.map((one) => ({id: npmPackageId(one), one}));
  const seen = new Set<string>();
  for (const {id} of [...withIds, ...npmWithIds]) {
    if (seen.has(id)) throw new SpdxError('duplicate-package', `${id} occurs twice`);
    seen.add(id);
  }
  const body = {
    creationInfo: {created: timestamp(input.created), creators: [`Tool: ${input.tool}`]},
    packages: [
      {
        SPDXID: IMAGE_ID,
        name: input.name,
        versionInfo: input.version,
        supplier: input.supplier ?? 'NOASSERTION',
        primaryPackagePurpose: 'OPERATING-SYSTEM',
        licenseDeclared: 'NOASSERTION',
        ...NOTHING_SAID,
      },
      ...withIds.map(({id, one}) => describePackage(id, one, input.distribution)),
      ...npmWithIds.map(({id, one}) => describeNpmPackage(id, one)),
    ],
    relationships: [
      {spdxElementId: DOCUMENT_ID, relationshipType: 'DESCRIBES', relatedSpdxElement: IMAGE_ID},
      ...withIds.map(({id, one}) =>
        one.set === 'tools'
          ? {spdxElementId: id, relationshipType: 'BUILD_TOOL_OF', relatedSpdxElement: IMAGE_ID}
          : {spdxElementId: IMAGE_ID, relationshipType: 'CONTAINS', relatedSpdxElement: id},
      ),
      ...npmWithIds.map(({id}) => {
        return {spdxElementId: IMAGE_ID, relationshipType: 'CONTAINS', relatedSpdxElement: id};
      }),
    ],
  };
  const head = {
    spdxVersion: 'SPDX-2.3',
    dataLicense: 'CC0-1.0',
    SPDXID: DOCUMENT_ID,
    name: `${input.name} ${input.version}`,
    documentNamespace: documentNamespace(input, JSON.stringify(body)),
  };
  return `${JSON.stringify({...head, ...body}, undefined, 2)}\n`;
}

function describePackage(id: string, one: SpdxPackage, distribution: string): Record<string, unknown> {
  return {
    SPDXID: id,
    name: one.name,
    versionInfo: one.version,
    supplier: 'Organization: Debian',
    sourceInfo: `built package from: ${one.sourceName} ${one.sourceVersion}`,
    checksums: [{algorithm: 'SHA256', checksumValue: one.sha256}],
    externalRefs: [
      {
        referenceCategory: 'PACKAGE-MANAGER',
        referenceType: 'purl',
        referenceLocator: debianPurl(one, distribution),
      },
    ],
    licenseDeclared: one.licenses ?? 'NOASSERTION',
    ...NOTHING_SAID,
  };
}

function describeNpmPackage(id: string, one: NpmPackage): Record<string, unknown> {
  return {
    SPDXID: id,
    name: one.name,
    versionInfo: one.version,
    supplier: 'NOASSERTION',
    externalRefs: [
      {referenceCategory: 'PACKAGE-MANAGER', referenceType: 'purl', referenceLocator: npmPurl(one)},
    ],
    licenseDeclared: one.licenses ?? 'NOASSERTION',
    ...NOTHING_SAID,
  };
}

/** `pkg:npm/NAME@VERSION`, a scope with its at sign encoded. */
export function npmPurl({name, version}: NpmPackage): string {
  return `pkg:npm/${name.split('/').map(encodePurlPart).join('/')}@${encodePurlPart(version)}`;
}

/** `pkg:deb/debian/NAME@VERSION?arch=ARCH&distro=DISTRIBUTION`, qualifiers in the order of their names. */
export function debianPurl(
  {name, version, architecture}: Pick<SpdxPackage, 'name' | 'version' | 'architecture'>,
  distribution: string,
): string {
  const [encodedName, encodedVersion] = [encodePurlPart(name), encodePurlPart(version)];
  const qualifiers = `arch=${encodePurlPart(architecture)}&distro=${encodePurlPart(distribution)}`;
  return `pkg:deb/debian/${encodedName}@${encodedVersion}?${qualifiers}`;
}

/** Everything but letters, digits, `.`, `-`, `_`, `~` and the colon is percent-encoded. */
function encodePurlPart(text: string): string {
  return encodeURIComponent(text)
    .replaceAll('%3A', ':')
    .replaceAll(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`);
}

/** The version, too: one bundle may hold two. */
function npmPackageId({name, version}: NpmPackage): string {
  const mark = createHash('sha256').update(`${name}@${version}`).digest('hex').slice(0, 8);
  return `SPDXRef-npm-${`${name}-${version}`.replaceAll(/[^A-Za-z0-9.-]/g, '-')}-${mark}`;
}

/** An identifier has letters, digits, `.` and `-` only (clause 7.2); a hash keeps changed names apart. */
function packageId({set, name, architecture}: SpdxPackage): string {
  const plain = name.replaceAll(/[^A-Za-z0-9.-]/g, '-');
  const mark = plain === name ? '' : `-${createHash('sha256').update(name).digest('hex').slice(0, 8)}`;
  return `SPDXRef-${set}-${plain}${mark}-${architecture}`;
}

function checkNpmPackage({name, version}: NpmPackage): void {
  if (/^(@[a-z0-9~-][a-z0-9._~-]*\/)?[a-z0-9~-][a-z0-9._~-]*$/.test(name) && NPM_VERSION.test(version))
    return;
  throw new SpdxError('bad-package', `npm package ${JSON.stringify(name)} ${JSON.stringify(version)}`);
}

function checkPackage(one: SpdxPackage): void {
  for (const [what, name, version] of [
    ['package', one.name, one.version],
    ['source', one.sourceName, one.sourceVersion],
  ] as const) {
    try {
      parseDebianVersion(version);
    } catch (cause) {
      throw new SpdxError('bad-package', `${what} ${name} has version ${JSON.stringify(version)}`, {cause});
    }
    // Debian Policy 5.6.7.
    if (!/^[a-z0-9][a-z0-9+.-]+$/.test(name)) {
      throw new SpdxError('bad-package', `${JSON.stringify(name.slice(0, 200))} is no name of a ${what}`);
    }
  }
  if (!/^[\da-f]{64}$/.test(one.sha256) || !/^[a-z0-9][a-z0-9-]*$/.test(one.architecture)) {
    throw new SpdxError(
      'bad-package',
      `${one.name}: SHA-256 ${one.sha256}, architecture ${one.architecture}`,
    );
  }
}

/** Unique for its content and free of `#`, which separates the identifiers of elements (clause 6.5). */
function documentNamespace({namespaceBase, name, version}: SpdxDocument, body: string): string {
  if (!URL.canParse(namespaceBase) || /[#?\s]/.test(namespaceBase)) {
    throw new SpdxError('bad-document', `${JSON.stringify(namespaceBase)} cannot begin a namespace`);
  }
  const content = createHash('sha256')
    .update(name)
    .update('\0')
    .update(version)
    .update('\0')
    .update(body)
    .digest('hex');
  const slug = `${name}-${version}`.replaceAll(/[^A-Za-z0-9._-]+/g, '-').toLowerCase();
  return `${namespaceBase.replace(/\/$/, '')}/spdx/${slug}-${content}`;
}

/** Clause 6.9 wants whole seconds and `Z`. */
function timestamp(seconds: number): string {
  if (!Number.isInteger(seconds) || seconds < 0 || seconds > 253_402_300_799) {
    throw new SpdxError('bad-document', `created is ${seconds}, expected seconds since 1970`);
  }
  return new Date(seconds * 1000).toISOString().replace('.000Z', 'Z');
}

function sortKey({set, name, architecture}: SpdxPackage): string {
  return [set, name, architecture].join('\0');
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
