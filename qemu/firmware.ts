/** Finds the UEFI firmware for virtual machines (OVMF), wherever the distribution puts it. */
import {chmod, copyFile} from 'node:fs/promises';
import {pathExists} from '../platform/files.ts';
import {QemuError} from './errors.ts';

export interface Firmware {
  /** Executable part, mapped read-only. */
  code: string;
  /** An empty variable store; each machine gets a copy. */
  varsTemplate: string;
}

/** Raw images without Secure Boot's enrolled keys. Qcow2 ones (Fedora's newer builds) would need a conversion. */
export const FIRMWARE_PLACES: readonly Firmware[] = [
  // Debian and Ubuntu, package ovmf
  place('/usr/share/OVMF', 'OVMF_CODE_4M.fd', 'OVMF_VARS_4M.fd'),
  place('/usr/share/OVMF', 'OVMF_CODE.fd', 'OVMF_VARS.fd'),
  // Fedora and its relatives, package edk2-ovmf
  place('/usr/share/edk2/ovmf', 'OVMF_CODE.fd', 'OVMF_VARS.fd'),
  // Arch, package edk2-ovmf, today's and yesterday's names
  place('/usr/share/edk2/x64', 'OVMF_CODE.4m.fd', 'OVMF_VARS.4m.fd'),
  place('/usr/share/edk2-ovmf/x64', 'OVMF_CODE.fd', 'OVMF_VARS.fd'),
  // openSUSE, package qemu-ovmf-x86_64
  place('/usr/share/qemu', 'ovmf-x86_64-4m-code.bin', 'ovmf-x86_64-4m-vars.bin'),
];

/** The first firmware of which both files exist. Throws QemuError `no-firmware`. */
export async function findFirmware(
  exists: (path: string) => Promise<boolean> = pathExists,
): Promise<Firmware> {
  for (const firmware of FIRMWARE_PLACES) {
    if ((await exists(firmware.code)) && (await exists(firmware.varsTemplate))) return firmware;
  }
  const looked = FIRMWARE_PLACES.map(({code}) => code).join(', ');
  throw new QemuError('no-firmware', `no UEFI firmware for virtual machines found; looked for ${looked}`, {
    hint: 'install the package ovmf (Debian, Ubuntu) or edk2-ovmf (Fedora, Arch)',
  });
}

/** Gives a machine its own variable store at `path`; one that is there is kept, with what the guest wrote to it. */
export async function ensureFirmwareVars(firmware: Firmware, path: string): Promise<void> {
  if (await pathExists(path)) return;
  await copyFile(firmware.varsTemplate, path);
  // The template may be read-only, and a copy keeps that.
  await chmod(path, 0o600);
}

function place(folder: string, code: string, vars: string): Firmware {
  return {code: `${folder}/${code}`, varsTemplate: `${folder}/${vars}`};
}
