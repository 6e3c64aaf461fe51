/**
 * What a build is asked to make: os.yaml, the site's file laid over it, and the options of the command line, checked
 * once. Everything after this module trusts the shape.
 */
import {CodedError} from '../formats/errors.ts';
import {expandBraces} from '../formats/glob.ts';
import {listIssues, z} from '../formats/schema.ts';
import {parseSize} from '../formats/units.ts';
import {isVersion} from '../formats/version.ts';
import {YamlError, type YamlNode, parseYaml, placeOf, plainValue} from '../formats/yaml.ts';

export type DefinitionErrorCode = 'bad-yaml' | 'bad-definition' | 'bad-version' | 'bad-channel';
export class DefinitionError extends CodedError<DefinitionErrorCode> {}

const packageName = z.string().regex(/^[a-z0-9][a-z0-9+.-]{1,127}$/, 'not a Debian package name');
const pattern = z
  .string()
  .min(1)
  .max(4096)
  .regex(/^[^/]/, 'a pattern has no leading slash')
  .superRefine((text, context) => {
    try {
      expandBraces(text);
    } catch (error) {
      context.addIssue({code: 'custom', message: (error as Error).message});
    }
  });
const size = z
  .union([z.string(), z.number()], 'expected a size like "900 MiB"')
  .transform((text, context) => {
    try {
      return parseSize(String(text));
    } catch (error) {
      context.addIssue({code: 'custom', message: (error as Error).message});
      return 0;
    }
  });
const unitName = z
  .string()
  .regex(/^[\w:.@\\-]{1,240}\.(service|socket|target|timer|path|mount)$/, 'not the name of a unit');
const CHANNEL = /^[a-z][a-z0-9-]{0,31}$/;
const channel = z.string().regex(CHANNEL, 'not a channel name');
/** What the build itself says to the kernel: a second value would win over the one that belongs to /usr. */
const RESERVED_ARGUMENT = /^(usrhash|roothash|systemd\.verity.*|mount\.usr.*)(=|$)/;
const argument = z
  .string()
  .regex(/^[\x21-\x7E]{1,512}$/, 'not one kernel argument')
  .refine((text) => !RESERVED_ARGUMENT.test(text), 'set by the build itself');

const definitionSchema = z.strictObject({
  name: z.string().regex(/^[^\p{C}]{1,64}$/u, 'not a name of 1 to 64 printable characters'),
  id: z.string().regex(/^[a-z0-9._-]{1,32}$/, 'not an os-release ID'),
  version: z.string(),
  channel,
  home: z.url({protocol: /^https?$/, error: 'not a web address'}),
  suites: z.array(z.string().regex(/^[a-z0-9-]+$/)).min(1),
  packages: z.strictObject({
    include: z.array(packageName).min(1),
    unpack: z.array(packageName),
    drop: z.array(packageName),
  }),
  paths: z.strictObject({drop: z.array(pattern)}),
  kernel: z.strictObject({
    package: packageName,
    arguments: z.array(argument),
    modules: z.strictObject({drop: z.array(pattern)}),
  }),
  initrd: z.strictObject({files: z.array(pattern), modules: z.array(z.string().regex(/^[\w-]+$/))}),
  tools: z.array(packageName).min(1),
  budgets: z.strictObject({usr: size, 'usr-compressed': size, uki: size}),
});

/** A site's file: only what may differ from site to site. */
const siteSchema = z.strictObject({
  version: z.string().optional(),
  channel: channel.optional(),
  packages: z
    .strictObject({include: z.array(packageName).default([]), remove: z.array(packageName).default([])})
    .optional(),
  paths: z.strictObject({drop: z.array(pattern).default([])}).optional(),
  kernel: z.strictObject({arguments: z.array(argument).default([])}).optional(),
  /** Files with public keys, relative to this one. */
  updateKeys: z.array(z.string().min(1).max(4096)).default([]),
  /** The same, of those who sign channels. */
  channelKeys: z.array(z.string().min(1).max(4096)).default([]),
  enable: z.array(unitName).default([]),
  disable: z.array(unitName).default([]),
});

export type Definition = z.infer<typeof definitionSchema> & {
  /** Units that the site's presets switch on and off. */
  enable: readonly string[];
  disable: readonly string[];
  /** Files with the public keys that the release trusts, as the site names them; none leaves it to the build. */
  updateKeys: readonly string[];
  /** The same for the keys that sign channels. */
  channelKeys: readonly string[];
};
export type Site = z.infer<typeof siteSchema>;

export interface SourceText {
  /** Shown in messages. */
  path: string;
  text: string;
}

export function parseDefinition(source: SourceText): Definition {
  const definition = parseChecked(source, definitionSchema);
  return {
    ...definition,
    version: checkVersion(definition.version, source.path),
    enable: [],
    disable: [],
    updateKeys: [],
    channelKeys: [],
  };
}

export function parseSite(source: SourceText): Site {
  return parseChecked(source, siteSchema);
}

/** Lays a site's file over the definition; the site wins, lists are joined. */
export function applySite(base: Definition, site: Site, path: string): Definition {
  const missing = (site.packages?.remove ?? []).filter((name) => !base.packages.include.includes(name));
  if (missing.length > 0) {
    throw new DefinitionError(
      'bad-definition',
      `${path}: packages.remove names ${missing.join(', ')}, which os.yaml does not include`,
      {
        hint: 'only packages of packages.include in build/os.yaml can be removed; what they depend on follows by itself',
      },
    );
  }
  const both = site.enable.filter((unit) => site.disable.includes(unit));
  if (both.length > 0)
    throw new DefinitionError('bad-definition', `${path}: ${both.join(', ')} is in enable and in disable`);
  const removed = new Set(site.packages?.remove);
  return {
    ...base,
    version: checkVersion(site.version ?? base.version, path),
    channel: site.channel ?? base.channel,
    packages: {
      ...base.packages,
      include: [
        ...base.packages.include.filter((name) => !removed.has(name)),
        ...(site.packages?.include ?? []),
      ],
    },
    paths: {drop: [...base.paths.drop, ...(site.paths?.drop ?? [])]},
    kernel: {...base.kernel, arguments: [...base.kernel.arguments, ...(site.kernel?.arguments ?? [])]},
    enable: site.enable,
    disable: site.disable,
    updateKeys: site.updateKeys,
    channelKeys: site.channelKeys,
  };
}

/** Payloads are ordered by it. */
export function checkVersion(version: string, where: string): string {
  if (!isVersion(version)) {
    throw new DefinitionError('bad-version', `${where}: version "${version}" is not a semantic version`, {
      hint: 'use three numbers without leading zeros, and lower case, for example 1.4.0 or 1.4.0-rc.1',
    });
  }
  return version;
}

export function checkChannel(name: string, where: string): string {
  if (!CHANNEL.test(name)) {
    throw new DefinitionError('bad-channel', `${where}: "${name}" is not the name of a channel`, {
      hint: 'use lower case letters, digits and hyphens, for example stable',
    });
  }
  return name;
}

/** A definition has some hundred lines. */
const MAX_CHARACTERS = 1_000_000;

function parseChecked<T extends z.ZodType>(source: SourceText, schema: T): z.output<T> {
  const root = parseSource(source);
  const result = schema.safeParse(plainValue(root));
  if (result.success) return result.data;
  const findings = listIssues(result.error).map(({path, text}) => {
    const place = placeOf(root, path);
    return `${source.path}${place === undefined ? '' : `:${place.line}`}: ${text}`;
  });
  throw new DefinitionError('bad-definition', findings.join('\n'), {
    hint: 'docs/customise.md lists the keys and what they may hold',
  });
}

function parseSource({path, text}: SourceText): YamlNode | null {
  try {
    return parseYaml(text, {version: '1.2', maxAliases: 0, maxCharacters: MAX_CHARACTERS});
  } catch (error) {
    if (!(error instanceof YamlError)) throw error;
    throw new DefinitionError('bad-yaml', `${path}: ${error.message}`, {cause: error});
  }
}
