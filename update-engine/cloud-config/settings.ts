/** What an operator can set about this program itself: /etc/caisson/cloud-config.conf, and arguments of the kernel. */
import {readFile} from 'node:fs/promises';
import {readVariable} from '../../formats/environment-lines.ts';
import {kernelArgument} from '../../formats/kernel-arguments.ts';
import {CLOUD_PATHS, type CloudHost, onHost} from './host.ts';

export interface CloudSettings {
  /** Base address without a slash at its end. */
  readonly githubApi: string;
  /** A PEM file whose certificates may vouch for servers besides the well-known ones. */
  readonly caFile: string | null;
  readonly problems: readonly string[];
}

const GITHUB_API = 'https://api.github.com';

export async function readSettings(host: Pick<CloudHost, 'root'>): Promise<CloudSettings> {
  const [conf, commandLine] = await Promise.all(
    [CLOUD_PATHS.settings, CLOUD_PATHS.commandLine].map((path) =>
      readFile(onHost(host, path), 'utf8').catch(() => ''),
    ),
  );
  return parseSettings(conf ?? '', commandLine ?? '');
}

/** An argument of the kernel wins: it is what a person types who cannot reach the file. */
export function parseSettings(conf: string, commandLine: string): CloudSettings {
  const problems: string[] = [];
  const argument = kernelArgument(commandLine, 'caisson.github-api');
  const base = (argument ?? readVariable(conf, 'GITHUB_API') ?? GITHUB_API).replaceAll(/^"|"$|\/+$/g, '');
  const isAddress = /^https?:\/\//.test(base) && URL.canParse(base);
  if (!isAddress)
    problems.push(`GITHUB_API=${base.slice(0, 200)} is no http or https address; ${GITHUB_API} is used`);
  const caFile = readVariable(conf, 'CA_FILE') ?? '';
  if (caFile !== '' && !caFile.startsWith('/'))
    problems.push(`CA_FILE=${caFile.slice(0, 200)} is no absolute path`);
  return {
    githubApi: isAddress ? base : GITHUB_API,
    caFile: caFile.startsWith('/') ? caFile : null,
    problems,
  };
}
