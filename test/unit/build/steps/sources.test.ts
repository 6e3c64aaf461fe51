import assert from 'node:assert/strict';
import {mkdtemp, readFile, readdir, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {describe, it} from 'node:test';
import {planSteps} from '../../../../build/main.ts';
import type {StepContext} from '../../../../build/steps/context.ts';
import {type BuildStep, withSourceInputs} from '../../../../build/steps/sources.ts';

const ROOT = join(import.meta.dirname, '../../../..');

describe('sources of the steps', () => {
  // Making the list looks at nothing but the shape of its context.
  const steps = planSteps({lock: {}, definition: {}, rootDir: ROOT} as unknown as StepContext, '');

  it('name the file of the step itself', async () => {
    const texts = new Map<string, string>();
    for (const name of await readdir(join(ROOT, 'build/steps'))) {
      texts.set(`build/steps/${name}`, await readFile(join(ROOT, 'build/steps', name), 'utf8'));
    }
    for (const {name, title, sources} of steps) {
      const own = [...texts].filter(([, text]) => text.includes(`title: '${title}'`)).map(([path]) => path);
      assert.equal(own.length, 1, `step ${name} is found by its title`);
      assert.ok(sources.includes(own[0] ?? ''), `step ${name} names ${own[0]}`);
    }
  });

  it('are there, and their code can be read', async () => {
    for (const step of await withSourceInputs(
      steps.map((step) => ({...step, inputs: () => Promise.resolve({})})),
      ROOT,
    )) {
      const inputs = await step.inputs();
      const {sources} = steps.find(({name}) => name === step.name) as BuildStep;
      assert.deepEqual(
        Object.keys(inputs),
        sources.map((source) => `program ${source}`),
      );
      for (const digest of Object.values(inputs)) assert.match(digest, /^[0-9a-f]{64}$/);
    }
  });
});

describe('withSourceInputs', () => {
  it('changes the inputs with the code of a source or of what that imports, not with a comment', async () => {
    const root = await mkdtemp(join(tmpdir(), 'sources-'));
    try {
      const step: BuildStep = {
        name: 'a',
        title: 'A',
        needs: [],
        sources: ['a.ts'],
        inputs: () => Promise.resolve({colour: 'red'}),
        run: () => Promise.resolve(),
      };
      const inputs = async (imported: string): Promise<unknown> => {
        await writeFile(join(root, 'a.ts'), "import {b} from './b.ts';\nexport const a = b + 1;\n");
        await writeFile(join(root, 'b.ts'), imported);
        const [sourced] = await withSourceInputs([step], root);
        return sourced?.inputs();
      };
      const before = await inputs('export const b = 1;\n');
      assert.deepEqual(Object.keys(before as object), ['colour', 'program a.ts']);
      assert.notDeepEqual(await inputs('export const b = 2;\n'), before);
      assert.deepEqual(await inputs('// One.\nexport const b = 1;\n'), before);
    } finally {
      await rm(root, {recursive: true});
    }
  });
});
