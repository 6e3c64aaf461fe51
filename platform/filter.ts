/** Bytes through a program, in at its standard input and out at its standard output: for chunks that fit memory. */
import {type Argv, start} from './exec.ts';

export interface FilterOptions {
  signal: AbortSignal;
  env?: Readonly<Record<string, string | undefined>>;
}

/** Throws ExecError when the program fails. */
export async function filterBytes(argv: Argv, input: Uint8Array, options: FilterOptions): Promise<Buffer> {
  const child = start(argv, options);
  // A program that ends before it has read everything fails by its exit code, which says more than the broken pipe.
  child.stdin.on('error', () => undefined);
  child.stdin.end(input);
  const parts: Buffer[] = [];
  try {
    for await (const part of child.stdout) parts.push(part as Buffer);
  } catch (error) {
    await child.finished();
    throw error;
  }
  await child.finished();
  return Buffer.concat(parts);
}
