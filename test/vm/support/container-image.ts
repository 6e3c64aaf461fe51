/** A container image made of the one static program that this machine's busybox is, as `docker load` reads it. */
import {createHash} from 'node:crypto';
import {readFile} from 'node:fs/promises';
import {buffer} from 'node:stream/consumers';
import {type Pack, pack} from 'tar-stream';

const BUSYBOX = '/bin/busybox';
const APPLETS = ['sh', 'cat', 'echo', 'id', 'grep', 'ip', 'ping', 'dd', 'ls', 'sleep', 'wget'];

export async function localImage(name: string): Promise<Buffer> {
  const layer = pack();
  layer.entry({name: 'bin/', type: 'directory', mode: 0o755});
  layer.entry({name: 'bin/busybox', mode: 0o755}, await readFile(BUSYBOX));
  for (const applet of APPLETS) layer.entry({name: `bin/${applet}`, type: 'symlink', linkname: 'busybox'});
  const layerTar = await finish(layer);
  const config = JSON.stringify({
    architecture: 'amd64',
    os: 'linux',
    config: {Env: ['PATH=/bin'], Cmd: ['sh']},
    rootfs: {type: 'layers', diff_ids: [`sha256:${createHash('sha256').update(layerTar).digest('hex')}`]},
  });
  const image = pack();
  image.entry({name: 'layer.tar'}, layerTar);
  image.entry({name: 'config.json'}, config);
  image.entry(
    {name: 'manifest.json'},
    JSON.stringify([{Config: 'config.json', RepoTags: [name], Layers: ['layer.tar']}]),
  );
  return finish(image);
}

async function finish(archive: Pack): Promise<Buffer> {
  archive.finalize();
  return buffer(archive);
}
