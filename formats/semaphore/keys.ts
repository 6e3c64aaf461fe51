/**
 * Where the semaphore lies in etcd: locksmith's keys, with its groups, and beside them the list of those who wait.
 */
const ROOT = 'coreos.com/updateengine/rebootlock';

/** Every group's keys begin with it. */
export const GROUPS_PREFIX = `${ROOT}/groups/`;

/** Names longer than this are refused: the key would be larger than the document. */
export const MAX_GROUP_CHARACTERS = 256;

export function isGroupName(group: string): boolean {
  return group.length <= MAX_GROUP_CHARACTERS && !/\p{Cc}|\p{Cs}/u.test(group);
}

/** The empty name is the lineage's one group without a name. */
export function semaphoreKey(group: string): string {
  return `${folderOf(group)}/semaphore`;
}

/** Ends with a slash; below it one key for each host that waits. */
export function waitingPrefix(group: string): string {
  return `${folderOf(group)}/waiting/`;
}

export function waitingKey(group: string, id: string): string {
  return waitingPrefix(group) + queryEscape(id);
}

/** The id in a waiting key; null for a key that is none. */
export function waiterOfKey(group: string, key: string): string | null {
  const prefix = waitingPrefix(group);
  return key.startsWith(prefix) ? queryUnescape(key.slice(prefix.length)) : null;
}

/** The group whose semaphore lies under the key; null for any other key. */
export function groupOfKey(key: string): string | null {
  if (key === semaphoreKey('')) return '';
  const name = key.startsWith(GROUPS_PREFIX) && /^([^/]+)\/semaphore$/.exec(key.slice(GROUPS_PREFIX.length));
  return name ? queryUnescape(name[1] ?? '') : null;
}

function folderOf(group: string): string {
  return group === '' ? ROOT : GROUPS_PREFIX + queryEscape(group);
}

/**
 * Go's url.QueryEscape: all but letters, digits and `-_.~` by their UTF-8 bytes, and a plus for a space.
 * encodeURIComponent leaves five more as they are.
 */
export function queryEscape(text: string): string {
  return encodeURIComponent(text)
    .replaceAll(/[!'()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`)
    .replaceAll('%20', '+');
}

/** Null unless the text is exactly what queryEscape makes. */
export function queryUnescape(text: string): string | null {
  let plain: string;
  try {
    plain = decodeURIComponent(text.replaceAll('+', '%20'));
    return queryEscape(plain) === text ? plain : null;
  } catch {
    return null;
  }
}
