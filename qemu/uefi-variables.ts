/**
 * A boot entry with an address, written into an empty variable store of OVMF: what an operator of a real machine sets in
 * the firmware's menu, or DHCP says to clients of UEFI HTTP boot, which QEMU's own DHCP server cannot. Pure.
 *
 * Formats: EDK II, MdeModulePkg/Include/Guid/VariableFormat.h (authenticated variables); UEFI 2.10, 3.1.3 (load options)
 * and 10.3.4.23 (URI device path).
 */
import {encodeGuid, parseGuid} from '../formats/guid.ts';
import {QemuError} from './errors.ts';

/** gEfiAuthenticatedVariableGuid, at the head of the store. */
const STORE_GUID = encodeGuid(parseGuid('aaf32c78-947b-439a-a180-2e144ec37792'));
const GLOBAL_GUID = encodeGuid(parseGuid('8be4df61-93ca-11d2-aa0d-00e098032b8c'));
const STORE_HEADER_BYTES = 28;
const VARIABLE_HEADER_BYTES = 60;
const START_ID = 0x55aa;
/** VAR_ADDED: there, and neither being deleted nor gone. Flash begins as ones, and bits are cleared. */
const ADDED = 0x3f;
/** Non-volatile, and visible to boot services and to the system. */
const ATTRIBUTES = 0x7;
const ACTIVE_OPTION = 0x1;
const ENTRY_NUMBER = 0;

/** The store with one boot entry, which is tried first. Throws QemuError `bad-spec` for a store that has variables. */
export function withBootAddress(store: Uint8Array, url: string, description: string): Uint8Array {
  const bytes = Buffer.from(store);
  const header = bytes.indexOf(STORE_GUID);
  if (header === -1) throw new QemuError('bad-spec', 'the firmware variables have no store for variables');
  const start = header + STORE_HEADER_BYTES;
  const order = Buffer.alloc(2);
  order.writeUInt16LE(ENTRY_NUMBER);
  const variables = Buffer.concat([
    encodeVariable('Boot0000', encodeLoadOption(url, description)),
    encodeVariable('BootOrder', order),
  ]);
  const place = bytes.subarray(start, start + variables.length);
  if (place.length < variables.length || !place.every((byte) => byte === 0xff))
    throw new QemuError('bad-spec', 'the firmware variables are in use already, or too small for an address');
  variables.copy(place);
  return bytes;
}

/** Each begins at a multiple of four bytes of the store. */
function encodeVariable(name: string, data: Uint8Array): Buffer {
  const nameBytes = Buffer.from(`${name}\0`, 'utf16le');
  const length = VARIABLE_HEADER_BYTES + nameBytes.length + data.length;
  const variable = Buffer.alloc(Math.ceil(length / 4) * 4, 0xff);
  variable.fill(0, 0, VARIABLE_HEADER_BYTES);
  variable.writeUInt16LE(START_ID, 0);
  variable.writeUInt8(ADDED, 2);
  variable.writeUInt32LE(ATTRIBUTES, 4);
  variable.writeUInt32LE(nameBytes.length, 36);
  variable.writeUInt32LE(data.length, 40);
  variable.set(GLOBAL_GUID, 44);
  variable.set(nameBytes, VARIABLE_HEADER_BYTES);
  variable.set(data, VARIABLE_HEADER_BYTES + nameBytes.length);
  return variable;
}

/** A device path of nothing but an address: the firmware tries it on every network card (UEFI 2.10, 3.1.2). */
function encodeLoadOption(url: string, description: string): Buffer {
  const address = Buffer.from(url, 'latin1');
  const node = Buffer.alloc(4);
  node.writeUInt8(0x03, 0);
  node.writeUInt8(0x18, 1);
  node.writeUInt16LE(node.length + address.length, 2);
  const path = Buffer.concat([node, address, Buffer.from([0x7f, 0xff, 0x04, 0x00])]);
  const head = Buffer.alloc(6);
  head.writeUInt32LE(ACTIVE_OPTION, 0);
  head.writeUInt16LE(path.length, 4);
  return Buffer.concat([head, Buffer.from(`${description}\0`, 'utf16le'), path]);
}
