/**
 * How the selector is built: commands as data, for a chroot or for this machine, with gcc, binutils and the headers
 * of gnu-efi.
 *
 * Debian's gcc knows no PE: it makes an ELF object without relocations (see selector.lds), and objcopy wraps that.
 * Nothing in the result depends on when or where it was built.
 */
import {posix} from 'node:path';
import type {Argv} from '../../platform/exec.ts';

/** Pure C, for the EFI program and the host harness alike. */
export const SELECTOR_LOGIC = ['gpt.c', 'slots.c', 'select.c'] as const;
const SELECTOR_SOURCES = [...SELECTOR_LOGIC, 'efi.c'] as const;
const OBJCOPY_SECTIONS = ['.text', '.rodata', '.data', '.reloc', '.sbat'] as const;

export const WARNING_FLAGS = ['-std=c11', '-Wall', '-Wextra', '-Wshadow', '-Werror'] as const;

/** Of Debian's package gnu-efi. */
const GNU_EFI_HEADERS = '/usr/include/efi';

export interface EfiBuild {
  /** To be run in this order; the folder of the output must be there. */
  commands: Argv[];
  /** Path of the EFI program. */
  output: string;
}

/** Commands that make `<outDir>/selector.efi` from `image/selector`; paths as seen where they are run. */
export function selectorCommands(srcDir: string, outDir: string): EfiBuild {
  return efiCommands({
    srcDir,
    outDir,
    name: 'selector',
    sources: SELECTOR_SOURCES.map((source) => posix.join(srcDir, source)),
  });
}

/** The same for any EFI program in C; `srcDir` is `image/selector`, which has the linker script. */
export function efiCommands(options: {
  srcDir: string;
  outDir: string;
  name: string;
  sources: readonly string[];
  /** Preprocessor definitions, `NAME` or `NAME=value`. */
  defines?: readonly string[];
}): EfiBuild {
  const {srcDir, outDir, name, sources, defines = []} = options;
  const inOut = (file: string) => posix.join(outDir, file);
  const objects = sources.map((source) => inOut(`${name}-${posix.basename(source, '.c')}.o`));
  const compile = sources.map((source, index): Argv => {
    const object = objects[index] ?? '';
    const definitions = defines.map((define) => `-D${define}`);
    return ['gcc', ...compileFlags(srcDir), ...definitions, '-c', source, '-o', object];
  });
  const elf = inOut(`${name}.so`);
  const output = inOut(`${name}.efi`);
  const link: Argv = [
    'ld',
    ...['-nostdlib', '-shared', '-Bsymbolic', '--no-undefined', '--build-id=none'],
    ...['-z', 'noexecstack', '--no-warn-rwx-segments', '-T', posix.join(srcDir, 'selector.lds')],
    ...objects,
    ...['-o', elf],
  ];
  const wrap: Argv = [
    'objcopy',
    ...OBJCOPY_SECTIONS.flatMap((section) => ['-j', section]),
    '--target=efi-app-x86_64',
    elf,
    output,
  ];
  return {commands: [...compile, link, wrap], output};
}

function compileFlags(srcDir: string): string[] {
  return [
    ...WARNING_FLAGS,
    ...['-Os', '-ffreestanding', '-fshort-wchar', '-fpic', '-fvisibility=hidden', '-mno-red-zone'],
    // Nobody would catch what these report, and unwinding tables only make the image larger.
    ...[
      '-fno-stack-protector',
      '-fcf-protection=none',
      '-fno-asynchronous-unwind-tables',
      '-fno-unwind-tables',
    ],
    // Else the compiler turns our memcpy into a call of memcpy.
    '-fno-tree-loop-distribute-patterns',
    // Functions of the firmware are called as such, without gnu-efi's wrappers.
    ...['-DGNU_EFI_USE_MS_ABI', '-maccumulate-outgoing-args'],
    ...[`-ffile-prefix-map=${srcDir}=selector`, '-I', srcDir],
    ...['-isystem', GNU_EFI_HEADERS, '-isystem', `${GNU_EFI_HEADERS}/x86_64`],
  ];
}
