/** One measured figure. */
export interface Figure {
  what: string;
  value: number;
  unit: 's' | 'ms' | 'MB' | 'times' | '%' | '/s';
  /** What the project promises, as text. */
  target?: string;
}

/** Seconds of a piece of work, to a tenth. */
export async function measureSeconds(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return Math.round((performance.now() - startedAt) / 100) / 10;
}
