/** caisson publish */
import {readFile, stat} from 'node:fs/promises';
import {join} from 'node:path';
import type {CommandModule} from 'yargs';
import {formatProduct} from '../formats/payload/product.ts';
import type {Release} from '../formats/release.ts';
import {formatBytes} from '../formats/units.ts';
import {compareVersions} from '../formats/version.ts';
import {PAYLOAD_FILE} from '../payload/make.ts';
import {sha256File, withByteSource} from '../platform/files.ts';
import {ServerError} from '../server/errors.ts';
import {MAX_NOTES_BYTES, checkDocuments, readDocuments} from '../server/publish/documents.ts';
import {requireProduct} from '../server/releases.ts';
import type {Documents} from '../server/store/releases.ts';
import {DEFAULT_OUT_DIR} from './paths.ts';
import {publicKeysOrDefault, withProgress, trustedKeyOption} from './payload/options.ts';
import {findRelease} from './releases.ts';
import {type PublishedRelease, channelsSchema, promotedSchema, releaseSchema} from './remote/answers.ts';
import {type Remote, RemoteError, readAnswer} from './remote/client.ts';
import {REMOTE_OPTIONS, type RemoteArguments, print, withRemote} from './remote/options.ts';
import {type Upload, uploadPayload} from './remote/upload.ts';
import {vouchFor} from './vouch.ts';

interface Arguments extends RemoteArguments {
  release: string;
  channel?: string;
  notes?: string;
  key: string[];
  'allow-downgrade': boolean;
}

export function publishCommand(signal: AbortSignal): CommandModule<object, Arguments> {
  return {
    command: 'publish <release>',
    describe: 'Bring a release to a release server, and point a channel to it',
    builder: (yargs) =>
      yargs
        .positional('release', {
          type: 'string',
          demandOption: true,
          describe: 'A version below out/, or the directory of a release',
        })
        .option('channel', {
          type: 'string',
          describe: 'Point this channel to it; without, nobody is offered it',
        })
        .option('notes', {type: 'string', describe: 'File with notes for people, plain text'})
        .option('key', trustedKeyOption('it'))
        .option('allow-downgrade', {
          type: 'boolean',
          default: false,
          describe: 'Also when the channel is at a newer one',
        })
        .options(REMOTE_OPTIONS)
        .example('$0 publish 0.2.0 --channel alpha', 'to the server of CAISSON_SERVER_URL, as CAISSON_TOKEN')
        .example('$0 publish 0.2.0', 'only bring it there; caisson channel promote 0.2.0 alpha follows'),
    handler: async (argv) => {
      const {channel, json, 'allow-downgrade': allowDowngrade} = argv;
      const keys = await publicKeysOrDefault(argv.key);
      await withRemote(argv, signal, async (remote) => {
        const {directory, release} = await findRelease(DEFAULT_OUT_DIR, argv.release);
        const {version} = release;
        if (channel !== undefined && !allowDowngrade) await requireForward(remote, channel, version);
        const documents = {...(await readDocuments(directory)), ...(await readNotes(argv.notes))};
        checkDocuments(version, documents, keys);
        await requireSizes(directory, release);
        const payload = await checkPayload(directory, release);
        await vouchFor({version, path: payload.path, bytes: payload.bytes}, keys, signal);
        const {isNew, published} = await send(remote, version, payload, documents, signal);
        const promoted =
          channel === undefined
            ? null
            : readAnswer(
                await remote.ask({
                  ...{method: 'PUT', path: `channels/${encodeURIComponent(channel)}`},
                  body: {version, allowDowngrade},
                }),
                promotedSchema,
              );
        const {sha256, bytes, signedBy} = published;
        const lines = [
          `${version} is ${isNew ? 'published' : 'there already'} (${formatBytes(bytes)}, SHA-256 ${sha256}, signed by ${signedBy})`,
          ...(promoted === null ? [] : [`${promoted.channel} is at ${version} now`]),
        ];
        print(json, {...published, isNew, channel: promoted?.channel ?? null}, lines);
      });
    },
  };
}

/** Before anything is read or sent: what the server would refuse in the end. */
async function requireForward(remote: Remote, name: string, version: string): Promise<void> {
  const {channels} = readAnswer(await remote.ask({method: 'GET', path: 'channels'}), channelsSchema);
  const before = channels.find((channel) => channel.name === name)?.version ?? null;
  if (before === null || compareVersions(version, before) >= 0) return;
  throw new ServerError('older', `${name} is at ${before}, and ${version} is older`, {
    hint: 'with --allow-downgrade it is offered to hosts that run a newer one, as far as they allow it',
  });
}

async function readNotes(path: string | undefined): Promise<Documents> {
  if (path === undefined) return {};
  const {size} = await stat(path);
  if (size > MAX_NOTES_BYTES)
    throw new ServerError(
      'too-large',
      `${path} has ${formatBytes(size)}, at most ${formatBytes(MAX_NOTES_BYTES)}`,
    );
  return {notes: await readFile(path, 'utf8')};
}

/** Of every file that the manifest names and that is here; images may have been moved away. */
async function requireSizes(directory: string, {files, version}: Release): Promise<void> {
  for (const [name, {bytes}] of Object.entries(files)) {
    const info = await stat(join(directory, name)).catch(() => null);
    if (info === null || info.size === bytes) continue;
    throw new ServerError(
      'untrusted',
      `${join(directory, name)} has ${info.size} bytes, and should have ${bytes}`,
      {
        hint: `build ${version} again`,
      },
    );
  }
}

async function checkPayload(directory: string, release: Release): Promise<Upload> {
  const path = join(directory, PAYLOAD_FILE);
  const info = await stat(path).catch(() => null);
  if (info === null)
    throw new ServerError('no-release', `release ${release.version} has no payload at ${path}`, {
      hint: `caisson payload make ${release.version}`,
    });
  const usrSha256 = Object.values(release.files).find(({role}) => role === 'usr')?.sha256 ?? null;
  await withByteSource(path, (source) =>
    requireProduct(source, {product: formatProduct(release), usrSha256}, path),
  );
  return {path, bytes: info.size, sha256: await sha256File(path)};
}

/** Asks first, so that a server that would refuse it, or has it, gets no payload. */
async function send(
  remote: Remote,
  version: string,
  payload: Upload,
  documents: Documents,
  signal: AbortSignal,
): Promise<{readonly isNew: boolean; readonly published: PublishedRelease}> {
  const {sha256, bytes} = payload;
  const submit = async (): Promise<PublishedRelease | null> => {
    for (;;) {
      const answer = await remote
        .ask({method: 'PUT', path: `releases/${version}`, body: {sha256, bytes, ...documents}})
        .catch((error: unknown) => {
          if (error instanceof RemoteError && error.reason === 'incomplete') return null;
          throw error;
        });
      if (answer === null) return null;
      // 202: it is being checked, and tells when it is asked again.
      if (answer.status === 200) return readAnswer(answer, releaseSchema);
    }
  };
  const known = await submit();
  if (known !== null) return {isNew: false, published: known};
  for (let attempt = 1; ; attempt += 1) {
    await withProgress(`Uploading the payload of ${version}`, bytes, signal, ({onBytes}) =>
      uploadPayload(remote, payload, {signal, onBytes}),
    );
    try {
      const published = await submit();
      if (published !== null) return {isNew: true, published};
    } catch (error) {
      // What an interrupted upload left may be worth nothing: then once from the start.
      if (!(error instanceof RemoteError && error.reason === 'damaged') || attempt > 1) throw error;
    }
    if (attempt > 1)
      throw new RemoteError('bad-answer', `the server does not keep the payload of ${version}`);
  }
}
