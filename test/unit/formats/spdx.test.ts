import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {z} from '../../../formats/schema.ts';
import {
  debianPurl,
  encodeSpdx,
  SpdxError,
  type SpdxDocument,
  type SpdxPackage,
} from '../../../formats/spdx.ts';

const ETCD: SpdxPackage = {
  name: 'etcd-server',
  version: '3.5.16-4',
  architecture: 'amd64',
  sha256: 'a'.repeat(64),
  sourceName: 'etcd',
  sourceVersion: '3.5.16-4',
  set: 'os',
};
const STDCXX: SpdxPackage = {
  ...ETCD,
  name: 'libstdc++6',
  version: '1:14.2.0-19+b1',
  sourceName: 'gcc-14',
  sourceVersion: '14.2.0-19',
  licenses: 'GPL-3.0-or-later WITH GCC-exception-3.1',
};
const DOCUMENT: SpdxDocument = {
  name: 'Caisson Linux',
  version: '1.2.0',
  namespaceBase: 'https://example.org/',
  tool: 'caisson-0.1.0',
  created: 1_700_000_000,
  distribution: 'debian-13',
  packages: [STDCXX, ETCD, {...ETCD, set: 'tools'}, {...ETCD, name: 'linux-image-amd64', set: 'kernel'}],
};

const spdxId = z.string().regex(/^SPDXRef-[A-Za-z0-9.-]+$/);
const licence = z.string().min(1);
/** The fields that clauses 6, 7 and 11 of SPDX 2.3 demand, with the forms they demand; nothing else may occur. */
const spdxSchema = z.strictObject({
  spdxVersion: z.literal('SPDX-2.3'),
  dataLicense: z.literal('CC0-1.0'),
  SPDXID: z.literal('SPDXRef-DOCUMENT'),
  name: z.string().min(1),
  documentNamespace: z.url().regex(/^[^#]+$/),
  creationInfo: z.strictObject({
    created: z.string().regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
    creators: z.array(z.string().regex(/^(Tool|Person|Organization): \S/)).min(1),
  }),
  packages: z.array(
    z.strictObject({
      SPDXID: spdxId,
      name: z.string().min(1),
      versionInfo: z.string().optional(),
      supplier: z
        .string()
        .regex(/^(NOASSERTION|(Person|Organization): \S.*)$/)
        .optional(),
      downloadLocation: z.string().min(1),
      // Without analysed files there must be no verification code either (7.9).
      filesAnalyzed: z.literal(false),
      checksums: z
        .array(z.strictObject({algorithm: z.literal('SHA256'), checksumValue: z.hash('sha256')}))
        .optional(),
      sourceInfo: z.string().optional(),
      licenseConcluded: licence,
      licenseDeclared: licence,
      copyrightText: z.string(),
      primaryPackagePurpose: z.enum(['OPERATING-SYSTEM']).optional(),
      externalRefs: z
        .array(
          z.strictObject({
            referenceCategory: z.literal('PACKAGE-MANAGER'),
            referenceType: z.literal('purl'),
            referenceLocator: z.string().regex(/^pkg:[!-~]+$/),
          }),
        )
        .optional(),
    }),
  ),
  relationships: z.array(
    z.strictObject({
      spdxElementId: spdxId,
      relationshipType: z.enum(['DESCRIBES', 'CONTAINS', 'BUILD_TOOL_OF']),
      relatedSpdxElement: spdxId,
    }),
  ),
});

function decode(text: string): z.infer<typeof spdxSchema> {
  return spdxSchema.parse(JSON.parse(text));
}

function rejects(code: string, change: Partial<SpdxDocument>): void {
  assert.throws(
    () => encodeSpdx({...DOCUMENT, ...change}),
    (error) => error instanceof SpdxError && error.code === code,
  );
}

describe('encodeSpdx', () => {
  it('has the fields that the specification demands, and every reference has its element', () => {
    const document = decode(encodeSpdx(DOCUMENT));
    assert.equal(document.creationInfo.created, '2023-11-14T22:13:20Z');
    const ids = new Set([document.SPDXID, ...document.packages.map(({SPDXID}) => SPDXID)]);
    assert.equal(ids.size, document.packages.length + 1);
    for (const {spdxElementId, relatedSpdxElement} of document.relationships) {
      assert.ok(ids.has(spdxElementId) && ids.has(relatedSpdxElement));
    }
  });

  it('tells what is in the image from what made it', () => {
    const related = decode(encodeSpdx(DOCUMENT)).relationships.map(
      (one) => `${one.spdxElementId} ${one.relationshipType} ${one.relatedSpdxElement}`,
    );
    assert.deepEqual(related, [
      'SPDXRef-DOCUMENT DESCRIBES SPDXRef-Image',
      'SPDXRef-Image CONTAINS SPDXRef-kernel-linux-image-amd64-amd64',
      'SPDXRef-Image CONTAINS SPDXRef-os-etcd-server-amd64',
      // The hash is that of the name: printf libstdc++6 | sha256sum
      'SPDXRef-Image CONTAINS SPDXRef-os-libstdc--6-ee0af3d5-amd64',
      'SPDXRef-tools-etcd-server-amd64 BUILD_TOOL_OF SPDXRef-Image',
    ]);
  });

  it('says where a package comes from', () => {
    const found = decode(encodeSpdx(DOCUMENT)).packages.find(({name}) => name === 'libstdc++6');
    assert.equal(found?.sourceInfo, 'built package from: gcc-14 14.2.0-19');
    assert.equal(found.licenseDeclared, STDCXX.licenses);
    assert.deepEqual(found.externalRefs?.[0]?.referenceLocator, debianPurl(STDCXX, 'debian-13'));
  });

  it('lists what came from npm, by name and version', () => {
    const npmPackages = [
      {name: '@scope/one', version: '2.0.0', licenses: 'MIT'},
      {name: 'one', version: '1.0.0-rc.1'},
      {name: 'one', version: '2.0.0'},
    ];
    const text = encodeSpdx({...DOCUMENT, npmPackages});
    const purls = decode(text).packages.map(({externalRefs}) => externalRefs?.[0]?.referenceLocator);
    assert.deepEqual(purls.slice(-3), [
      'pkg:npm/%40scope/one@2.0.0',
      'pkg:npm/one@1.0.0-rc.1',
      'pkg:npm/one@2.0.0',
    ]);
    const contained = decode(text).relationships.filter(
      ({relationshipType}) => relationshipType === 'CONTAINS',
    );
    assert.equal(contained.length, 6);
    assert.equal(encodeSpdx({...DOCUMENT, npmPackages: npmPackages.toReversed()}), text);
    rejects('bad-package', {npmPackages: [{name: '../one', version: '1.0.0'}]});
    rejects('bad-package', {npmPackages: [{name: 'one', version: 'latest'}]});
    rejects('duplicate-package', {npmPackages: [...npmPackages, ...npmPackages]});
  });

  it('depends on the packages, not on their order', () => {
    assert.equal(encodeSpdx({...DOCUMENT, packages: [...DOCUMENT.packages].reverse()}), encodeSpdx(DOCUMENT));
  });

  it('has another namespace for other content', () => {
    const namespaces = [DOCUMENT, {...DOCUMENT, version: '1.2.1'}, {...DOCUMENT, packages: [ETCD]}].map(
      (one) => decode(encodeSpdx(one)).documentNamespace,
    );
    assert.equal(new Set(namespaces).size, 3);
    assert.match(namespaces[0] ?? '', /^https:\/\/example\.org\/spdx\/caisson-linux-1\.2\.0-[0-9a-f]{64}$/);
  });

  it('refuses packages and documents that it cannot describe', () => {
    rejects('duplicate-package', {packages: [ETCD, ETCD]});
    rejects('bad-package', {packages: [{...ETCD, name: 'Etcd'}]});
    rejects('bad-package', {packages: [{...ETCD, version: 'x'}]});
    rejects('bad-package', {packages: [{...ETCD, sourceVersion: ''}]});
    rejects('bad-package', {packages: [{...ETCD, sha256: 'A'.repeat(64)}]});
    rejects('bad-package', {packages: [{...ETCD, architecture: ''}]});
    rejects('bad-document', {namespaceBase: 'example.org'});
    rejects('bad-document', {namespaceBase: 'https://example.org/#a'});
    for (const created of [-1, 1.5, NaN, 1e15]) rejects('bad-document', {created});
  });
});

describe('debianPurl', () => {
  it('encodes what a URL would misread and leaves the colon of an epoch', () => {
    assert.equal(
      debianPurl(STDCXX, 'debian-13'),
      'pkg:deb/debian/libstdc%2B%2B6@1:14.2.0-19%2Bb1?arch=amd64&distro=debian-13',
    );
    assert.equal(
      debianPurl({name: 'systemd', version: '257.9-1~deb13u1', architecture: 'amd64'}, 'debian-13'),
      'pkg:deb/debian/systemd@257.9-1~deb13u1?arch=amd64&distro=debian-13',
    );
  });
});
