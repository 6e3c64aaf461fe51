import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {describeIssues, listIssues, z} from '../../../formats/schema.ts';

const schema = z.strictObject({
  name: z.string(),
  items: z.array(z.strictObject({size: z.number()})),
});

function issuesOf(value: unknown): z.ZodError {
  const {error} = schema.safeParse(value);
  assert.ok(error !== undefined);
  return error;
}

describe('describeIssues', () => {
  it('names the place of each finding', () => {
    assert.equal(
      describeIssues(issuesOf({name: 1, items: [{size: 1}, {size: '2'}]})),
      'name: expected string, received number; items[1].size: expected number, received string',
    );
    assert.equal(describeIssues(issuesOf(null)), '(top level): expected object, received null');
  });

  it('names unknown keys one by one', () => {
    const error = issuesOf({name: 'x', items: [{size: 1, colour: 'red', weight: 1}], more: 1});
    assert.deepEqual(listIssues(error), [
      {path: ['items', 0, 'colour'], text: 'items[0].colour: unknown key'},
      {path: ['items', 0, 'weight'], text: 'items[0].weight: unknown key'},
      {path: ['more'], text: 'more: unknown key'},
    ]);
  });
});
