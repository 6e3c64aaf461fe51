/** etcd and etcdctl of the release under test, unpacked once for each pair of hashes; and Debian's discovery service. */
import {join} from 'node:path';
import {ROOT_DIR} from '../../cli/paths.ts';
import {pathExists} from '../../platform/files.ts';
import {packageOfSuites, packagesOfRelease, readReleaseLock, unpackPackages} from './unpacked-packages.ts';

export interface EtcdPrograms {
  readonly etcd: string;
  readonly etcdctl: string;
}

/** Throws when no release was built yet: its lock says which etcd it is. */
export async function etcdPrograms(): Promise<EtcdPrograms> {
  const packages = packagesOfRelease(await readReleaseLock(), ['etcd-server', 'etcd-client']);
  const hashes = packages.map(({sha256}) => sha256.slice(0, 16));
  const folder = join(ROOT_DIR, 'out/test-etcd', hashes.join('-'));
  await unpackPackages(folder, packages);
  return {etcd: join(folder, 'usr/bin/etcd'), etcdctl: join(folder, 'usr/bin/etcdctl')};
}

/**
 * A root directory with the discovery service and the C library it is linked to. It reads its settings from a fixed path
 * before it looks at its arguments, so it needs a root of its own.
 */
export async function discoveryRoot(): Promise<string> {
  const folder = join(ROOT_DIR, 'out/test-etcd', 'discovery');
  if (await pathExists(folder)) return folder;
  const lock = await readReleaseLock();
  const service = await packageOfSuites(lock, 'etcd-discovery');
  await unpackPackages(folder, [...packagesOfRelease(lock, ['libc6']), service]);
  return folder;
}
