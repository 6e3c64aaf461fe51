/** The unit that mounts a file system of a config at every boot, or turns its swap on: `with_mount_unit`. */

export interface MountUnit {
  readonly name: string;
  readonly contents: string;
}

export interface MountedFilesystem {
  readonly device: string;
  readonly format: string;
  /** Not of swap. */
  readonly path: string;
  readonly options: readonly string[];
}

export function mountUnit({device, format, path, options}: MountedFilesystem): MountUnit {
  const isSwap = format === 'swap';
  const escaped = escapePath(device);
  const optionLine = options.length === 0 ? [] : [`Options=${options.join(',')}`];
  const check =
    isSwap || format === 'vfat'
      ? []
      : ['Requires', 'After'].map((key) => `${key}=systemd-fsck@${escaped}.service`);
  const lines = [
    '# Made by caisson config translate.',
    ...(check.length === 0 ? [] : ['[Unit]', ...check, '']),
    ...(isSwap
      ? ['[Swap]', `What=${device}`, ...optionLine]
      : ['[Mount]', `Where=${path}`, `What=${device}`, `Type=${format}`, ...optionLine]),
    '',
    '[Install]',
    `RequiredBy=${isSwap ? 'swap' : 'local-fs'}.target`,
    '',
  ];
  return {name: isSwap ? `${escaped}.swap` : `${escapePath(path)}.mount`, contents: lines.join('\n')};
}

/** systemd-escape --path: slashes become hyphens, and every other byte outside a few is written as \xNN. */
export function escapePath(path: string): string {
  const trimmed = path
    .split('/')
    .filter((part) => part !== '')
    .join('/');
  if (trimmed === '') return '-';
  return [...Buffer.from(trimmed)]
    .map((byte, index) => {
      const character = String.fromCharCode(byte);
      if (character === '/') return '-';
      if (/[A-Za-z0-9:_]/.test(character) || (character === '.' && index > 0)) return character;
      return `\\x${byte.toString(16).padStart(2, '0')}`;
    })
    .join('');
}
