/** The commands of docs/payload.md for a key that lives elsewhere, run as they stand there. */
import assert from 'node:assert/strict';
import {mkdtemp, readFile, rm, symlink} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {delimiter, join} from 'node:path';
import {after, describe, it} from 'node:test';
import {exec} from '../../platform/exec.ts';
import {repeatable, writePayloadRelease} from '../support/payload-release.ts';
import {ROOT_DIR} from '../support/sources.ts';
import {skipWithout} from '../support/tool.ts';

const folder = await mkdtemp(join(tmpdir(), 'payload-signing-'));
after(() => rm(folder, {recursive: true}));
const skip = (await skipWithout(['openssl'], 'openssl')) || (await skipWithout(['xz'], 'xz-utils'));

describe('signing elsewhere', {skip}, () => {
  it('works as docs/payload.md says', async () => {
    const text = await readFile(join(ROOT_DIR, 'docs/payload.md'), 'utf8');
    const script = [...text.matchAll(/```sh\n([\s\S]*?)```/g)]
      .map(([, code]) => code ?? '')
      .find((code) => code.includes('openssl'));
    assert.ok(script !== undefined);
    const release = join(folder, 'release');
    await writePayloadRelease(release, repeatable(30 * 4096));
    await symlink(join(ROOT_DIR, 'caisson'), join(folder, 'caisson'));
    const env = {
      PATH: [folder, process.env['PATH'] ?? ''].join(delimiter),
      RELEASE: release,
      KEY: join(folder, 'there.key.pem'),
      PUBLIC_KEY: join(folder, 'there.pub.pem'),
    };
    const caisson = (...args: string[]) => exec([join(ROOT_DIR, 'caisson'), ...args], {cwd: folder});
    await caisson('keys', '--out', folder, '--name', 'there');
    await exec(['sh', '-eu', '-c', script], {cwd: folder, env});
    const {stdout} = await caisson('payload', 'inspect', 'update.payload', '--key', env.PUBLIC_KEY, '--json');
    assert.equal((JSON.parse(stdout) as {isTrusted: boolean}).isTrusted, true);
    // One step less gives the same file.
    await caisson('payload', 'make', release, '--key', env.KEY, '--out', 'direct.payload');
    assert.deepEqual(
      await readFile(join(folder, 'direct.payload')),
      await readFile(join(folder, 'update.payload')),
    );
  });
});
