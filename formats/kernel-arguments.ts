/**
 * What an operator said on the kernel command line (/proc/cmdline). As with the kernel's own parameters the last word of
 * a name wins, and `-` and `_` in a name are the same. Rejected: quoted values with blanks in them, which nothing that
 * Caisson asks for has.
 */

/** The value of the last `name=value`, without quotes around it; null without one, and for an empty value. */
export function kernelArgument(commandLine: string, name: string): string | null {
  const word = commandLine.split(/\s+/).findLast((each) => spelled(each.split('=', 1)[0]) === spelled(name));
  const value = word?.slice(name.length + 1).replaceAll(/^"|"$/g, '') ?? '';
  return value === '' ? null : value;
}

function spelled(name = ''): string {
  return name.replaceAll('-', '_');
}
