/** A folder of releases whose payloads have the right form and nothing in them: for the server and its clients. */
import {createHash, randomBytes} from 'node:crypto';
import {mkdir, writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import {encodePayloadHeader} from '../../formats/payload/header.ts';
import {encodeManifest} from '../../formats/payload/manifest.ts';
import {formatRelease} from '../../formats/release.ts';
import {extent, operation} from './payload-sample.ts';

/** A payload of one partition with `bytes` of data in blocks, for caisson/x86-64/VERSION; its signatures are noise. */
export function samplePayload(version: string, blocks = 16): Uint8Array {
  const data = randomBytes(blocks * 4096);
  const sha256 = Uint8Array.from(createHash('sha256').update(data).digest());
  const signatures = randomBytes(256);
  const manifest = encodeManifest({
    minorVersion: 0,
    signaturesOffset: data.length,
    signaturesBytes: signatures.length,
    maxTimestamp: 1_795_054_374,
    partitions: ['usr', 'kernel'].map((name, index) => ({
      name,
      oldInfo: null,
      newInfo: {bytes: index === 0 ? (blocks - 1) * 4096 : 4096, sha256},
      operations: [
        operation({
          type: 'REPLACE',
          data:
            index === 0
              ? {offset: 0, bytes: (blocks - 1) * 4096, sha256}
              : {offset: (blocks - 1) * 4096, bytes: 4096, sha256},
          dstExtents: [extent(0, index === 0 ? blocks - 1 : 1)],
        }),
      ],
      hashTree: null,
      version: `caisson/x86-64/${version}`,
    })),
  });
  const metadataSignatures = randomBytes(256);
  const header = encodePayloadHeader({
    manifestBytes: manifest.length,
    metadataSignatureBytes: metadataSignatures.length,
  });
  return Buffer.concat([header, manifest, metadataSignatures, data, signatures]);
}

/** Writes VERSION/release.json, and VERSION/payload/update.payload unless there is none. */
export async function addRelease(folder: string, version: string, payload: Uint8Array | null): Promise<void> {
  const directory = join(folder, version);
  await mkdir(join(directory, 'payload'), {recursive: true});
  const release = formatRelease({
    format: 'caisson-release-1',
    id: 'caisson',
    name: 'Caisson Linux',
    version,
    channel: 'stable',
    buildId: 'test',
    architecture: 'x86-64',
    sourceDate: 1_795_054_374,
    kernelRelease: '6.12.0',
    usr: {
      rootHash: '0'.repeat(64),
      partitionGuid: '00000000-0000-0000-0000-000000000000',
      hashOffset: 4096,
      bytes: 8192,
    },
    sectorSize: 512,
    sizes: {},
    packages: 1,
    files: {},
    updateKeys: [],
  });
  await writeFile(join(directory, 'release.json'), release);
  if (payload !== null) await writeFile(join(directory, 'payload', 'update.payload'), payload);
}
