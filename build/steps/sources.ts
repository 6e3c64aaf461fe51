/**
 * The code of a step is one of its inputs: each step names the files that hold it, beside what it does, so that a step
 * that moves takes the names along. A list in another place was rejected: it went out of date without a word.
 */
import {join} from 'node:path';
import {fingerprintProgram} from '../bundle.ts';
import type {Step} from '../engine.ts';

export interface BuildStep extends Step {
  /** Files in the repository whose code shapes the result; what they import counts as well. */
  sources: readonly string[];
}

/** The same steps, which also run again when the code of one of their sources changed. */
export async function withSourceInputs(steps: readonly BuildStep[], rootDir: string): Promise<Step[]> {
  return Promise.all(
    steps.map(async (step): Promise<Step> => {
      const programs = await Promise.all(
        step.sources.map(async (source) => [
          `program ${source}`,
          await fingerprintProgram(join(rootDir, source), rootDir),
        ]),
      );
      return {
        ...step,
        inputs: async () => ({...(await step.inputs()), ...(Object.fromEntries(programs) as object)}),
      };
    }),
  );
}
