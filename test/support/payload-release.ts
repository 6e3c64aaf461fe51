/** A release directory with nothing but what a payload is made of: usr.img with its verity tree, uki.efi, release.json. */
import {createHash} from 'node:crypto';
import {mkdir, readFile, stat, writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import type {Release} from '../../formats/release.ts';
import {guidFromRootHash} from '../../formats/verity.ts';
import {appendVerity} from '../../image/verity.ts';
import {sampleRelease, writeRelease} from './small-disk.ts';

const BLOCK = 4096;
const SALT = Buffer.alloc(32, 0x5a);

/** `usr` is the file system, whole blocks of anything. The UKI is not a multiple of a block, as real ones are not. */
export async function writePayloadRelease(
  directory: string,
  usr: Uint8Array,
  changes: Partial<Release> = {},
): Promise<Release> {
  await mkdir(directory, {recursive: true});
  const [usrPath, ukiPath] = [join(directory, 'usr.img'), join(directory, 'uki.efi')];
  await writeFile(usrPath, usr);
  const facts = await appendVerity(usrPath, {salt: SALT, uuid: 'aabbccdd-0011-2233-4455-66778899aabb'});
  await writeFile(ukiPath, repeatable(3 * BLOCK + 100));
  const files: Release['files'] = {};
  for (const [name, path] of Object.entries({usr: usrPath, uki: ukiPath})) {
    const hash = createHash('sha256').update(await readFile(path));
    files[name === 'usr' ? 'usr.img' : 'uki.efi'] = {
      role: name,
      bytes: (await stat(path)).size,
      sha256: hash.digest('hex'),
    };
  }
  const partitionGuid = guidFromRootHash(facts.rootHash);
  const release = sampleRelease({usr: {...facts, partitionGuid}, files, ...changes});
  await writeRelease(directory, release);
  return release;
}

/** Bytes that no compressor makes shorter, the same every time. */
export function repeatable(bytes: number): Buffer {
  const parts: Buffer[] = [];
  for (let index = 0; index * 32 < bytes; index += 1)
    parts.push(createHash('sha256').update(String(index)).digest());
  return Buffer.concat(parts).subarray(0, bytes);
}

/** What each kind of operation is best at: random bytes, a run of zeros, words in no order, a megabyte twice. */
export function varied(): Buffer {
  const chunk = 2 << 20;
  const [noise, words] = [repeatable(chunk), Buffer.alloc(chunk)];
  const again = Buffer.concat([noise.subarray(0, chunk / 2), noise.subarray(0, chunk / 2)]);
  const vocabulary = ['ship', 'water', 'wall', 'stone', 'deep', 'river', 'bridge', 'pressure', 'air', 'lock'];
  for (let at = 0, index = 0; at < chunk; index += 1) {
    at += words.write(`${vocabulary[(noise[index % chunk] ?? 0) % vocabulary.length]} `, at, 'latin1');
  }
  return Buffer.concat([noise, Buffer.alloc(64 * BLOCK), words, again]);
}
