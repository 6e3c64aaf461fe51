/** caisson config: looks at configs for Ignition before a machine does. */
import {readFile} from 'node:fs/promises';
import {resolve} from 'node:path';
import type {CommandModule} from 'yargs';
import {writeFileAtomic} from '../platform/files.ts';
import {checkFile, translateFile} from './config/check.ts';
import {findChecker} from './config/ignition-validate.ts';

interface ValidateArguments {
  file: string;
  'ignition-validate'?: string;
}

interface TranslateArguments {
  file: string;
  output?: string;
  'files-dir'?: string;
}

const validateCommand: CommandModule<object, ValidateArguments> = {
  command: 'validate FILE',
  describe: 'Check a config for Ignition (JSON), or its YAML',
  builder: (yargs) =>
    yargs
      .positional('FILE', {type: 'string', demandOption: true, describe: 'config.ign, or config.bu'})
      .option('ignition-validate', {
        type: 'string',
        describe: "Ignition's own checker, when it is not in PATH and no build has fetched it",
      }) as never,
  handler: async (argv) => {
    const {problems, note} = await checkFile(
      fileOf(argv),
      argv['ignition-validate'] ?? (await findChecker(process.env)),
    );
    for (const line of problems) process.stdout.write(`${line}\n`);
    if (note !== null) process.stderr.write(`${note}\n`);
    process.exitCode = problems.length === 0 ? 0 : 1;
    if (problems.length === 0) process.stdout.write(`${fileOf(argv)}: good\n`);
  },
};

const translateCommand: CommandModule<object, TranslateArguments> = {
  command: 'translate FILE',
  describe: 'Write the config for Ignition that a YAML of Butane describes',
  builder: (yargs) =>
    yargs
      .positional('FILE', {type: 'string', demandOption: true, describe: 'config.bu'})
      .option('output', {alias: 'o', type: 'string', describe: 'File for the JSON; default standard output'})
      .option('files-dir', {
        alias: 'd',
        type: 'string',
        describe: 'Folder that local: and trees: take files from',
      })
      .example('$0 config translate db1.bu -o db1.ign', 'then: caisson run --ignition db1.ign') as never,
  handler: async (argv) => {
    const text = await readFile(fileOf(argv));
    const folder = argv['files-dir'];
    const json = translateFile(text, fileOf(argv), folder === undefined ? null : resolve(folder));
    if (argv.output === undefined) process.stdout.write(json);
    // It may hold hashes of passwords.
    else await writeFileAtomic(resolve(argv.output), json, 0o600);
  },
};

export const configCommand: CommandModule = {
  command: 'config',
  describe: 'Check and translate configs for Ignition',
  builder: (yargs) =>
    yargs
      .command([validateCommand, translateCommand] as CommandModule[])
      .demandCommand(1, 'validate or translate?'),
  handler: () => undefined,
};

/** yargs names a positional as it is written in the command. */
function fileOf(argv: {file?: string; FILE?: string}): string {
  return argv.FILE ?? argv.file ?? '';
}
