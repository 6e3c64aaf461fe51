/** /proc/PID/mountinfo, as far as we need it; proc_pid_mountinfo(5). */

export interface Mount {
  /** MAJOR:MINOR. */
  device: string;
  /** What of the file system is mounted; `/` for all of it. */
  root: string;
  path: string;
  fileSystem: string;
  source: string;
}

/** In the order of mounting: of two on one path the last is what one sees. Lines of another shape are passed over. */
export function parseMounts(text: string): Mount[] {
  return text.split('\n').flatMap((line) => {
    const [before = '', after = ''] = line.split(' - ');
    const [, , device = '', root = '', path = ''] = before.split(' ');
    const [fileSystem = '', source = ''] = after.split(' ');
    return path === ''
      ? []
      : [{device, root: unescape(root), path: unescape(path), fileSystem, source: unescape(source)}];
  });
}

/** Space, tab, newline and backslash are written in octal. */
function unescape(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
}
