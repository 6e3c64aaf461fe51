/** Checks a config in JSON before a machine sees it: keys, kinds of values, and what this system does not do. */
import {type JsonError, parseJsonTree} from '../json-tree.ts';
import {type YamlNode, placeOf} from '../yaml.ts';
import {refusalsOf} from './limits.ts';
import {readIgnitionConfig} from './read-config.ts';
import {type Finding, type Findings, type Values, createFindings, readByShape} from './shape.ts';
import {configTable} from './tables.ts';

const TABLE = configTable((name) => name, {});

/** Findings in the order of the text. Throws IgnitionError for what is no config at all. */
export function checkIgnitionConfig(data: Uint8Array, where: string): readonly Finding[] {
  const {text, value} = readIgnitionConfig(data, where);
  const findings = createFindings();
  let tree: YamlNode;
  try {
    tree = parseJsonTree(text);
  } catch (error) {
    const {message, place} = error as JsonError;
    findings.error(place, message.replace(/ at line \d+, column \d+$/, ''));
    return findings.all;
  }
  const read = readByShape(tree, TABLE, '', findings) as Values;
  checkTwice(read, tree, findings);
  for (const {path, text: refusal} of refusalsOf(value))
    findings.error(placeOf(tree, path) ?? tree.place, refusal);
  return findings.all.sort((a, b) => a.line - b.line || a.column - b.column);
}

/** Ignition refuses these as well, without saying where. */
function checkTwice(config: Values, tree: YamlNode, findings: Findings): void {
  const seen = new Map<string, string>();
  for (const list of ['files', 'directories', 'links']) {
    const items = ((config['storage'] as Values | undefined)?.[list] ?? []) as readonly Values[];
    for (const [index, {path}] of items.entries()) {
      if (typeof path !== 'string') continue;
      const here = `storage.${list}[${index}]`;
      const first = seen.get(path);
      if (first === undefined) seen.set(path, here);
      else
        findings.error(
          placeOf(tree, ['storage', list, index]) ?? tree.place,
          `${here}: ${path} is in ${first} already`,
        );
    }
  }
}
