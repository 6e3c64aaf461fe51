/**
 * Fetches public keys that a config imports. Keys of last time stand in for a server that does not answer: whoever could
 * log in yesterday can today. A server that answers decides, and a key that is gone there is gone here.
 */
import {MAX_KEY_ANSWER_BYTES, parseKeyAnswer} from '../../formats/cloud-config/key-answer.ts';
import type {KeyImport} from '../../formats/cloud-config/types.ts';
import type {WantedFile, WantedKeys} from '../../formats/cloud-config/wanted.ts';
import {fetchPatiently} from './fetch.ts';
import {CLOUD_PATHS, type CloudHost, type Problem, problemOf} from './host.ts';
import type {RecordStore} from './record.ts';

const HEAD = '# Written by caisson-cloudinit. Keys of your own belong in ~/.ssh/authorized_keys.\n';

export interface ImportResult {
  readonly files: readonly WantedFile[];
  readonly problems: readonly Problem[];
}

/** `githubApi` has no slash at its end. */
export async function resolveKeys(
  host: CloudHost,
  store: RecordStore,
  wanted: readonly WantedKeys[],
  githubApi: string,
): Promise<ImportResult> {
  const problems: Problem[] = [];
  const files: WantedFile[] = [];
  for (const {user, keys, imports} of wanted) {
    const lines = [...keys];
    for (const source of imports) {
      const url = source.kind === 'github' ? `${githubApi}/users/${source.account}/keys` : source.url;
      const name = nameOf(source);
      const imported = await importKeys(host, store, url, problems, user);
      if (imported.length > 0) lines.push(`# ${name}`, ...imported);
    }
    if (lines.length === 0) continue;
    files.push({
      path: `${CLOUD_PATHS.keys}/${user}`,
      content: Buffer.from(`${HEAD}${lines.join('\n')}\n`),
      // sshd reads it as the user who logs in.
      mode: 0o644,
      owner: 'root:root',
      unit: null,
    });
  }
  return {files, problems};
}

function nameOf(source: KeyImport): string {
  return source.kind === 'github' ? `github: ${source.account}` : source.url;
}

async function importKeys(
  host: CloudHost,
  store: RecordStore,
  url: string,
  problems: Problem[],
  user: string,
): Promise<readonly string[]> {
  const id = `keys ${url}`;
  try {
    const keys = parseKeyAnswer(await fetchPatiently(host, url, MAX_KEY_ANSWER_BYTES), url);
    if (keys.length === 0) problems.push({text: `${user}: ${url} has no keys`});
    await store.keep(id, Buffer.from(keys.join('\n')));
    return keys;
  } catch (error) {
    const kept = await store.kept(id);
    const last = kept === null ? [] : parseKeyAnswer(kept, `the copy of ${url}`);
    const rest = last.length === 0 ? 'no keys from there' : `the ${last.length} keys of last time stay`;
    problems.push({
      ...problemOf(error, `keys for ${user}`),
      hint: `${rest}; caisson-cloudinit apply tries again`,
    });
    return last;
  }
}
