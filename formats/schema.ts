/** The one importer of the schema library, and the one way its findings are worded. */
import {z} from 'zod';

export {z};

/** `packages.include[3]: expected string, received number; network: unknown key`. */
export function describeIssues(error: z.ZodError): string {
  return error.issues
    .flatMap((issue) => {
      if (issue.code === 'unrecognized_keys')
        return issue.keys.map((key) => `${pathText([...issue.path, key])}: unknown key`);
      return [`${pathText(issue.path)}: ${issue.message.replace(/^Invalid input: /, '')}`];
    })
    .join('; ');
}

function pathText(path: readonly PropertyKey[]): string {
  if (path.length === 0) return '(top level)';
  return path
    .map((part, index) =>
      typeof part === 'number' ? `[${part}]` : `${index === 0 ? '' : '.'}${String(part)}`,
    )
    .join('');
}
