/** Every TypeScript file of the repository with what it imports, for tests that hold the architecture. */
import {existsSync} from 'node:fs';
import {readFile} from 'node:fs/promises';
import {dirname, join, normalize} from 'node:path';
import ts from 'typescript';
import {exec} from '../../platform/exec.ts';

export interface Import {
  /** As written. */
  specifier: string;
  /** The file of ours that it names, from the repository's root; undefined for anything else. */
  file: string | undefined;
  /** Of types only: gone when the program runs. */
  isType: boolean;
}

export interface Source {
  /** From the repository's root. */
  path: string;
  text: string;
  imports: Import[];
  hasDefaultExport: boolean;
}

export const ROOT_DIR = join(import.meta.dirname, '../..');

/** Files that git knows, and those that it would take: an unfinished file obeys the rules as well. */
export async function listFiles(): Promise<string[]> {
  const {stdout} = await exec(['git', 'ls-files', '--cached', '--others', '--exclude-standard', '-z'], {
    cwd: ROOT_DIR,
  });
  return stdout.split('\0').filter((path) => path !== '' && existsSync(join(ROOT_DIR, path)));
}

export async function readSources(): Promise<Source[]> {
  const paths = (await listFiles()).filter((path) => path.endsWith('.ts'));
  return Promise.all(
    paths.map(async (path) => parseSource(path, await readFile(join(ROOT_DIR, path), 'utf8'))),
  );
}

export function parseSource(path: string, text: string): Source {
  const file = ts.createSourceFile(path, text, ts.ScriptTarget.Latest);
  const source: Source = {path, text, imports: [], hasDefaultExport: false};
  const add = (node: ts.Node | undefined, isType: boolean): void => {
    if (node === undefined || !ts.isStringLiteral(node)) return;
    const specifier = node.text;
    const own = specifier.startsWith('.') ? normalize(join(dirname(path), specifier)) : undefined;
    source.imports.push({specifier, file: own, isType});
  };
  for (const statement of file.statements) {
    if (ts.isImportDeclaration(statement))
      add(statement.moduleSpecifier, isTypeImport(statement.importClause));
    else if (ts.isExportDeclaration(statement)) add(statement.moduleSpecifier, statement.isTypeOnly);
    const modifiers = ts.canHaveModifiers(statement) ? ts.getModifiers(statement) : undefined;
    source.hasDefaultExport ||=
      ts.isExportAssignment(statement) ||
      (modifiers ?? []).some(({kind}) => kind === ts.SyntaxKind.DefaultKeyword);
  }
  const visit = (node: ts.Node): void => {
    if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword)
      add(node.arguments[0], false);
    else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument))
      add(node.argument.literal, true);
    ts.forEachChild(node, visit);
  };
  if (/\bimport\(/.test(text)) visit(file);
  return source;
}

/** `import type {A}` and `import {type A, type B}` alike. */
function isTypeImport(clause: ts.ImportClause | undefined): boolean {
  if (clause === undefined) return false;
  if (clause.phaseModifier === ts.SyntaxKind.TypeKeyword) return true;
  const bindings = clause.namedBindings;
  if (clause.name !== undefined || bindings === undefined || !ts.isNamedImports(bindings)) return false;
  return bindings.elements.length > 0 && bindings.elements.every(({isTypeOnly}) => isTypeOnly);
}
