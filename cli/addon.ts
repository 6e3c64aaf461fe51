/** caisson addon */
import {resolve} from 'node:path';
import type {CommandModule} from 'yargs';
import {ADDON_FOLDER, ADDON_SUFFIX, AddonError, encodeKernelAddon} from '../formats/efi-addon.ts';
import {writeFileAtomic} from '../platform/files.ts';

interface Arguments {
  file: string;
  append: string[];
}

export const addonCommand: CommandModule<object, Arguments> = {
  command: 'addon <file>',
  describe: 'Write kernel arguments as a file for the ESP of a host',
  builder: (yargs) =>
    yargs
      .positional('file', {type: 'string', demandOption: true, describe: `NAME${ADDON_SUFFIX}`})
      .option('append', {
        type: 'string',
        array: true,
        demandOption: true,
        describe: 'Kernel arguments; may be repeated',
      })
      .example(
        '$0 addon site.addon.efi --append console=hvc0',
        `then copy it to ${ADDON_FOLDER}/ of the ESP`,
      ),
  handler: async (argv) => {
    if (!argv.file.endsWith(ADDON_SUFFIX))
      throw new AddonError('bad-argument', `${argv.file} does not end with ${ADDON_SUFFIX}`, {
        hint: 'the boot program looks at no other files',
      });
    const words = argv.append.flatMap((text) => text.trim().split(/\s+/));
    await writeFileAtomic(resolve(argv.file), encodeKernelAddon(words));
    process.stdout.write(
      `${argv.file}: copy it to ${ADDON_FOLDER}/ of the ESP; both slots take it from there\n`,
    );
  },
};
