/** A folder of releases whose payloads are sound, and have nothing in them that would start: for the server and its clients. */
import {type KeyObject, createHash, randomBytes} from 'node:crypto';
import {mkdir, writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import {formatRelease} from '../../formats/release.ts';
import {RELEASE_SIGNATURES_FILE, signRelease} from '../../formats/release-signatures.ts';
import {type PartitionSpec, buildPayload} from './payload.ts';
import {extent} from './payload-sample.ts';

/** A payload whose partitions are together `blocks` of chance, for caisson/x86-64/VERSION; signed by TEST_KEY. */
export function samplePayload(version: string, blocks = 16, keys?: readonly KeyObject[]): Buffer {
  const data = randomBytes(blocks * 4096);
  const parts = {usr: data.subarray(4096), kernel: data.subarray(0, 4096)};
  const partitions = Object.entries(parts).map(([name, content]): PartitionSpec => {
    const dst = [extent(0, content.length / 4096)];
    return {
      ...{name, content, version: `caisson/x86-64/${version}`},
      operations: [{type: 'REPLACE', blob: content, dst}],
    };
  });
  return buildPayload(partitions, {maxTimestamp: 1_795_054_374, ...(keys === undefined ? {} : {keys})}).bytes;
}

/**
 * Writes VERSION/release.json, and VERSION/payload/update.payload unless there is none. With `keys` release.json is
 * signed, and there is an SBOM.
 */
export async function addRelease(
  folder: string,
  version: string,
  payload: Uint8Array | null,
  keys: readonly KeyObject[] = [],
): Promise<void> {
  const directory = join(folder, version);
  await mkdir(join(directory, 'payload'), {recursive: true});
  const sbom = JSON.stringify({spdxVersion: 'SPDX-2.3', name: `caisson ${version}`, packages: []});
  const sbomFile = {
    ...{role: 'sbom', bytes: sbom.length},
    sha256: createHash('sha256').update(sbom).digest('hex'),
  };
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
    files: keys.length === 0 ? {} : {'sbom.spdx.json': sbomFile},
    updateKeys: [],
    channelKeys: [],
  });
  await writeFile(join(directory, 'release.json'), release);
  if (keys.length > 0) {
    await writeFile(join(directory, 'sbom.spdx.json'), sbom);
    await writeFile(join(directory, 'payload', RELEASE_SIGNATURES_FILE), signRelease(release, keys));
  }
  if (payload !== null) await writeFile(join(directory, 'payload', 'update.payload'), payload);
}
