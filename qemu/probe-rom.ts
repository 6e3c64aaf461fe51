/**
 * A guest of 256 bytes that finds out whether virtualisation runs ordinary code.
 *
 * It goes from the reset vector through real, protected and long mode, using the x87 unit, paging, CPUID and SSE2,
 * and writes 42 to QEMU's exit port. Why not simply open /dev/kvm or start a stopped guest: in nested or restricted
 * virtualisation both succeed and the first floating-point instruction of the guest is what fails.
 */

/** QEMU's exit code when the guest got through: isa-debug-exit makes `value * 2 + 1` of what was written. */
export const PROBE_EXIT_CODE = 42 * 2 + 1;

/** Where the guest writes its verdict. */
export const PROBE_EXIT_DEVICE = 'isa-debug-exit,iobase=0xf4,iosize=0x04';

const ROM_BYTES = 65_536;

/**
 * The last 256 bytes below 4 GiB, as assembled from the source beside them (GNU as, `-Ttext=0xffffff00`). Page
 * tables are built in RAM, which QEMU hands over zeroed: a processor may want to write to them.
 */
const CODE = [
  'fa', //                            start: cli
  'dbe3', //                                 fninit
  '2e660f0116a8ff', //                       lgdtl %cs:gdtr
  '66b8110000000f22c0', //                   cr0 = PE | ET
  '66ea1bffffff0800', //                     ljmpl $0x08, $prot
  '66b810008ed8', //                  prot:  ds = 0x10
  'c7050010000003200000', //                 PML4[0] = 0x2003
  'c7051820000003300000', //                 PDPT[3] = 0x3003
  'c705f83f00008300e0ff', //                 PD[511] = 0xffe00083, the 2 MiB page with this ROM
  'b8001000000f22d8', //                     cr3 = 0x1000
  'b8200600000f22e0', //                     cr4 = PAE | OSFXSR | OSXMMEXCPT
  'b9800000c00f320fbae8080f30', //           EFER |= LME
  'b8110000800f22c0', //                     cr0 = PG | PE | ET
  'ea6bffffff1800', //                       ljmpl $0x18, $long
  '31c00fa2', //                      long:  cpuid of leaf 0
  'b815000000f2480f2ac0', //                 xmm0 = 21.0
  'f20f58c0', //                             xmm0 += xmm0
  'f2480f2dc0', //                           rax = (int) xmm0
  'e6f4', //                                 outb %al, $0xf4
  'f4ebfd', //                        halt:  hlt; jmp halt
  '90', //                                   (alignment)
  '0000000000000000', //              gdt:   null
  'ffff0000009bcf00', //                     0x08: code, 32 bits
  'ffff00000093cf00', //                     0x10: data
  'ffff0000009baf00', //                     0x18: code, 64 bits
  '1f0088ffffff', //                  gdtr:  limit, address of gdt
].join('');

/** `jmp start` in 16-bit code, at the reset vector. */
const RESET_VECTOR = {offset: ROM_BYTES - 16, code: 'e90dff'};

export function probeRom(): Uint8Array {
  // Everything else is `hlt`: a processor that goes astray stops.
  const rom = Buffer.alloc(ROM_BYTES, 0xf4);
  rom.write(CODE, ROM_BYTES - 256, 'hex');
  rom.write(RESET_VECTOR.code, RESET_VECTOR.offset, 'hex');
  return rom;
}
