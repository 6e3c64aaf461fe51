/** A package lock that passes every check, in small. */
import type {LockedPackage, PackageLock} from '../../build/lock.ts';

export function lockedPackage(name: string, changes: Partial<LockedPackage> = {}): LockedPackage {
  return {
    name,
    version: '5.2-1',
    architecture: 'amd64',
    sha256: Buffer.from(name.padEnd(32, '-')).toString('hex'),
    bytes: 1000,
    filename: `pool/main/${name.slice(0, 1)}/${name}/${name}_5.2-1_amd64.deb`,
    archive: 'main',
    source: name,
    sourceVersion: '5.2-1',
    ...changes,
  };
}

export function sampleLock(changes: Partial<PackageLock> = {}): PackageLock {
  return {
    format: 'caisson-lock-1',
    sourceDate: 1_795_054_374,
    suites: ['trixie'],
    requested: {os: ['bash', 'systemd'], unpack: ['ignition'], kernel: 'linux-image-amd64', tools: ['gcc']},
    os: [lockedPackage('bash'), lockedPackage('systemd')],
    unpack: [lockedPackage('ignition')],
    kernel: [lockedPackage('linux-image-6.12-amd64')],
    tools: [lockedPackage('gcc')],
    ...changes,
  };
}
