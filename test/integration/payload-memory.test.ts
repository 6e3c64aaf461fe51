/** The promise that making a payload of any size takes less than 200 MiB. */
import assert from 'node:assert/strict';
import {mkdtemp, open, readFile, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {after, describe, it} from 'node:test';
import {createHash} from 'node:crypto';
import {appendVerity} from '../../image/verity.ts';
import {guidFromRootHash} from '../../formats/verity.ts';
import {exec} from '../../platform/exec.ts';
import {sha256File} from '../../platform/files.ts';
import {repeatable, writePayloadRelease} from '../support/payload-release.ts';
import {writeRelease} from '../support/small-disk.ts';
import {ROOT_DIR} from '../support/sources.ts';

const MIB = 1 << 20;
const LIMIT_KIB = 200 * 1024;
/** What `caisson` itself takes before it does anything, more than the small program that measures here. */
const COMMAND_KIB = 20 * 1024;

describe('makePayload', () => {
  it('stays small, however large the release', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'payload-memory-'));
    after(() => rm(folder, {recursive: true}));
    const release = await writePayloadRelease(folder, repeatable(4096 * 10));
    const usr = join(folder, 'usr.img');
    const file = await open(usr, 'w');
    // Bytes that cannot be compressed, which is the most there is to hold; then a hole up to a large size.
    const noise = repeatable(2 * MIB);
    for (let at = 0; at < 12 * MIB; at += noise.length) await file.write(noise, 0, noise.length, at);
    await file.truncate(512 * MIB);
    await file.close();
    const facts = await appendVerity(usr, {
      salt: createHash('sha256').update('salt').digest(),
      uuid: 'aabbccdd-0011-2233-4455-66778899aabb',
    });
    await writeRelease(folder, {
      ...release,
      usr: {...facts, partitionGuid: guidFromRootHash(facts.rootHash)},
      files: {...release.files, 'usr.img': {role: 'usr', bytes: facts.bytes, sha256: await sha256File(usr)}},
    });
    const out = join(folder, 'update.payload');
    const program = join(ROOT_DIR, 'test/fixtures/make-payload.ts');
    const {stdout} = await exec([join(ROOT_DIR, 'tools/ts'), program, folder, out, '8']);
    const used = Number(stdout);
    assert.ok(used > 0 && used < LIMIT_KIB - COMMAND_KIB, `${used} KiB`);
    assert.equal((await readFile(out)).toString('latin1', 0, 4), 'CrAU');
  });
});
