/** What machines without a disk are served: the files of one folder, and nothing beside them. */
import assert from 'node:assert/strict';
import {mkdir, mkdtemp, readFile, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {after, before, describe, it} from 'node:test';
import {offerNetBoot} from '../../qemu/net-boot.ts';

let work: string;

before(async () => {
  work = await mkdtemp(join(tmpdir(), 'net-boot-'));
  await mkdir(join(work, 'release/folder'), {recursive: true});
  await mkdir(join(work, 'machine'));
  await writeFile(join(work, 'release/live.efi'), 'a program');
  await writeFile(join(work, 'secret'), 'not for machines');
});
after(() => rm(work, {recursive: true}));

describe('offerNetBoot', () => {
  it('serves the files of the release, with their length, and refuses everything else', async () => {
    const boot = await offerNetBoot({
      kind: 'ipxe',
      release: join(work, 'release'),
      file: 'live.ipxe',
      kernelArguments: ['a=1', 'b'],
      folder: join(work, 'machine'),
      forwards: [],
    });
    try {
      const script = await readFile(join(work, 'machine/boot.ipxe'), 'utf8');
      const [, port = ''] = /chain http:\/\/10\.0\.2\.2:(\d+)\/live\.ipxe\n$/.exec(script) ?? [];
      assert.match(script, /^#!ipxe\nset caisson-arguments a=1 b\n/);
      const ask = (path: string, method = 'GET'): Promise<Response> =>
        fetch(`http://127.0.0.1:${port}${path}`, {method});
      const whole = await ask('/live.efi');
      assert.deepEqual(
        [whole.status, whole.headers.get('content-length'), whole.headers.get('content-type')],
        [200, '9', 'application/efi'],
      );
      assert.equal(await whole.text(), 'a program');
      assert.equal((await ask('/live.efi', 'HEAD')).headers.get('content-length'), '9');
      for (const path of ['/', '/folder', '/%2e%2e/secret', '/..%2fsecret', '/folder/live.efi', '/none'])
        assert.equal((await ask(path)).status, 404, path);
      assert.deepEqual(boot.network, {
        kind: 'user',
        forwards: [],
        boot: true,
        ipxe: true,
        tftp: {folder: join(work, 'machine'), bootFile: 'boot.ipxe'},
      });
    } finally {
      await boot.close();
    }
  });
});
