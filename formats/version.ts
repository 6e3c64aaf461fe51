/**
 * Versions of releases: semantic versioning 2.0, narrowed to what is also an os-release IMAGE_VERSION and the name of a
 * directory, hence in lower case and without build metadata (which has no order, and our releases need one).
 */
import {compare, valid} from 'semver';

/** `1.4.0`, `1.4.0-rc.1`. */
export function isVersion(text: string): boolean {
  return valid(text) === text && /^[0-9a-z.-]{1,128}$/.test(text);
}

/** Negative when `a` is the older one. Both have to be versions. */
export function compareVersions(a: string, b: string): number {
  return compare(a, b);
}

/** On a dot: `1.4` is the beginning of `1.4.2`, not of `1.40.0`. */
export function hasVersionPrefix(version: string, prefix: string): boolean {
  return version === prefix || version.startsWith(prefix.endsWith('.') ? prefix : `${prefix}.`);
}
