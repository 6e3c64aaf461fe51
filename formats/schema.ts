/** The one importer of the schema library, and the one way its findings are worded. */
import {z} from 'zod';

export {z};

/** `packages.include[3]: expected string, received number; network: unknown key`. */
export function describeIssues(error: z.ZodError): string {
  return listIssues(error)
    .map(({text}) => text)
    .join('; ');
}

/** Each finding with the path of what it is about; an unknown key is one of its own. */
export function listIssues(error: z.ZodError): {path: readonly PropertyKey[]; text: string}[] {
  return error.issues.flatMap((issue) => {
    if (issue.code === 'unrecognized_keys') {
      return issue.keys.map((key) => {
        const path = [...issue.path, key];
        return {path, text: `${pathText(path)}: unknown key`};
      });
    }
    const message = issue.message.replace(/^Invalid input: /, '');
    return [{path: issue.path, text: `${pathText(issue.path)}: ${message}`}];
  });
}

function pathText(path: readonly PropertyKey[]): string {
  if (path.length === 0) return '(top level)';
  return path
    .map((part, index) =>
      typeof part === 'number' ? `[${part}]` : `${index === 0 ? '' : '.'}${String(part)}`,
    )
    .join('');
}
