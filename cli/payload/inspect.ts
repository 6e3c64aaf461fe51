/** caisson payload inspect */
import {stat} from 'node:fs/promises';
import type {CommandModule} from 'yargs';
import type {PartitionSummary} from '../../formats/payload/summary.ts';
import {formatBytes} from '../../formats/units.ts';
import {type PayloadFacts, type SignatureFacts, inspectPayload} from '../../payload/inspection.ts';
import {JSON_OPTION, publicKeysOrDefault, withProgress} from './options.ts';

interface Arguments {
  file: string;
  key: string[];
  json: boolean;
}

export function inspectPayloadCommand(signal: AbortSignal): CommandModule<object, Arguments> {
  return {
    command: 'inspect <file>',
    describe: 'Show what is in a payload, and who signed it',
    builder: (yargs) =>
      yargs
        .positional('file', {type: 'string', demandOption: true, describe: 'A payload'})
        .option('key', {
          type: 'string',
          array: true,
          default: [],
          defaultDescription: 'keys/*.pub.pem',
          describe: 'Public key in PEM; exit code 1 unless one of them signed the payload',
        })
        .option('json', JSON_OPTION)
        .example('$0 payload inspect out/0.2.0/payload/update.payload', ''),
    handler: async ({file, key, json}) => {
      const keys = await publicKeysOrDefault(key);
      const {size} = await stat(file);
      const facts = await withProgress('Reading', size, signal, (work) => inspectPayload(file, keys, work));
      process.stdout.write(`${json ? JSON.stringify(facts, undefined, 2) : payloadText(facts).join('\n')}\n`);
      // Keys that were only found may be of another time; those that were named are a question.
      if (key.length > 0 && facts.isTrusted !== true) process.exitCode = 1;
    },
  };
}

function payloadText(facts: PayloadFacts): string[] {
  const {bytes, minorVersion, isFull, maxTimestamp, manifestBytes, blobBytes} = facts;
  const time = maxTimestamp === null ? 'none' : new Date(maxTimestamp * 1000).toISOString();
  return [
    `${isFull ? 'full' : 'delta'} payload, version 2.${minorVersion}, ${formatBytes(bytes)}`,
    `  made from sources of     ${time}`,
    `  manifest                 ${formatBytes(manifestBytes)}, SHA-256 ${facts.metadataSha256}`,
    `  blobs                    ${formatBytes(blobBytes)}`,
    ...signatureText('metadata signed by', facts.metadataSignatures, facts.isTrusted !== null),
    ...signatureText('payload signed by', facts.payloadSignatures, facts.isTrusted !== null),
    ...facts.partitions.flatMap(partitionText),
    ...(facts.isTrusted === false ? ['NOT SIGNED by any of the keys that were looked at'] : []),
  ];
}

function signatureText(title: string, signatures: readonly SignatureFacts[], isChecked: boolean): string[] {
  if (signatures.length === 0) return [`  ${title.padEnd(24)} nobody`];
  return signatures.map(({bytes, by}) => {
    const unknown = isChecked ? 'none of the keys given' : 'not checked, no key was given';
    const who = by === null ? unknown : `${by.name} (${by.fingerprint})`;
    return `  ${title.padEnd(24)} ${who}, RSA of ${bytes * 8} bits`;
  });
}

function partitionText(partition: PartitionSummary): string[] {
  const {name, version, bytes, sha256, old, blobBytes, operations, hashTree} = partition;
  return [
    `partition ${name}${version === null ? '' : `: ${version}`}`,
    `  new                      ${formatBytes(bytes)}, SHA-256 ${sha256}`,
    ...(old === null ? [] : [`  old                      ${formatBytes(old.bytes)}, SHA-256 ${old.sha256}`]),
    ...operations.map(
      ({type, operations: count, blobBytes: blob, writtenBytes}) =>
        `  ${type.padEnd(16)} ${String(count).padStart(7)} operations, ${formatBytes(blob).padStart(7)} for ${formatBytes(writtenBytes)}`,
    ),
    ...(hashTree === null
      ? []
      : [`  hash tree                ${formatBytes(hashTree.treeBytes)}, computed by the host`]),
    `  in all                   ${formatBytes(blobBytes)}, ${Math.round((1000 * blobBytes) / bytes) / 10} % of it`,
  ];
}
