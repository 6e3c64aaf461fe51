/**
 * The style sheet, the script and the icon of the page: files beside this one, read once. Their names carry a hash of
 * what is in them, so that browsers keep them for ever and a new version is fetched at once.
 */
import {createHash} from 'node:crypto';
import {readFile} from 'node:fs/promises';
import type {ServerAnswer} from '../../platform/http-server-answer.ts';
import type {Frame} from './layout.ts';

export interface Assets {
  readonly hrefs: Frame['assets'];
  /** Null for a name that is none. */
  find(name: string): ServerAnswer | null;
}

const FILES = {
  style: {file: 'style.css', type: 'text/css; charset=utf-8'},
  script: {file: 'live.js', type: 'text/javascript; charset=utf-8'},
  icon: {file: 'icon.svg', type: 'image/svg+xml'},
} as const;
const HASH_CHARACTERS = 16;

/** `prefix`: of the addresses. */
export async function loadAssets(prefix: string): Promise<Assets> {
  const answers = new Map<string, ServerAnswer>();
  const load = async ({file, type}: {readonly file: string; readonly type: string}): Promise<string> => {
    const body = await readFile(new URL(`static/${file}`, import.meta.url));
    const hash = createHash('sha256').update(body).digest('hex').slice(0, HASH_CHARACTERS);
    const name = file.replace('.', `-${hash}.`);
    const headers = {
      'content-type': type,
      'cache-control': 'public, max-age=31536000, immutable',
      etag: `"${hash}"`,
      'x-content-type-options': 'nosniff',
    };
    answers.set(name, {status: 200, headers, body});
    return prefix + name;
  };
  const hrefs = {
    style: await load(FILES.style),
    script: await load(FILES.script),
    icon: await load(FILES.icon),
  };
  return {hrefs, find: (name) => answers.get(name) ?? null};
}
