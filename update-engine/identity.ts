/** Which release this host runs, and which host it is, from the files that say so. */
import {readFile} from 'node:fs/promises';
import {decodeOsRelease, type OsRelease} from '../formats/os-release.ts';
import type {HostPaths} from './paths.ts';

export interface Identity {
  product: string;
  /** As the payload's product string has it: `x86-64`. */
  architecture: string;
  version: string;
  buildId: string;
  channel: string;
  /** Seconds since 1970; null in a release that does not say. */
  sourceDate: number | null;
  machineId: string;
  bootId: string;
  oem: {id: string; version: string};
}

/** Throws what reading throws, and OsReleaseError. An absent OEM file is an empty one. */
export async function readIdentity(paths: HostPaths): Promise<Identity> {
  const os = decodeOsRelease(await readFile(paths.osRelease, 'utf8'));
  const oem = decodeOsRelease(await readFile(paths.oemRelease, 'utf8').catch(() => ''));
  const field = (from: OsRelease, name: string): string => from.get(name) ?? '';
  const date = field(os, 'CAISSON_SOURCE_DATE');
  return {
    product: field(os, 'IMAGE_ID') || field(os, 'ID'),
    architecture: ARCHITECTURES[process.arch] ?? process.arch,
    version: field(os, 'IMAGE_VERSION'),
    buildId: field(os, 'BUILD_ID'),
    channel: field(os, 'CAISSON_CHANNEL'),
    sourceDate: /^\d{1,15}$/.test(date) ? Number(date) : null,
    machineId: (await readFile(paths.machineId, 'utf8').catch(() => '')).trim(),
    bootId: (await readFile(paths.bootId, 'utf8')).trim(),
    oem: {id: field(oem, 'ID'), version: field(oem, 'VERSION_ID')},
  };
}

/** Node's names to systemd's, which releases use. */
const ARCHITECTURES: Readonly<Record<string, string>> = {x64: 'x86-64', arm64: 'arm64'};
