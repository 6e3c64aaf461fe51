import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {KeyAnswerError, parseKeyAnswer} from '../../../../formats/cloud-config/key-answer.ts';
import {TEST_KEY} from '../../../fixtures/cloud-configs.ts';
import {damaged, fc, succeedsOrThrows} from '../../../support/property.ts';

const parse = (text: string): readonly string[] => parseKeyAnswer(Buffer.from(text), 'there');

describe('parseKeyAnswer', () => {
  it('takes JSON as GitHub gives it, and lines', () => {
    assert.deepEqual(
      parse(
        JSON.stringify([
          {id: 1, key: TEST_KEY},
          {key: TEST_KEY, title: 'x'},
        ]),
      ),
      [TEST_KEY, TEST_KEY],
    );
    assert.deepEqual(parse(`# mine\n${TEST_KEY}\r\n\n`), [TEST_KEY]);
    assert.deepEqual([parse('[]'), parse('')], [[], []]);
  });

  it('refuses an answer of which any part is no key', () => {
    for (const text of [
      '{"message": "rate limit"}',
      '<html></html>',
      '[1]',
      '[{"key": ',
      JSON.stringify([{key: TEST_KEY}, {key: 'no'}]),
      JSON.stringify([{key: `command="x" ${TEST_KEY}`}]),
      JSON.stringify([{key: `${TEST_KEY}\n${TEST_KEY}`}]),
      `${TEST_KEY}\n`.repeat(201),
    ])
      assert.throws(() => parse(text), KeyAnswerError, text.slice(0, 60));
  });

  it('lets nothing but its own error out', () => {
    const sample = Buffer.from(JSON.stringify([{id: 1, key: TEST_KEY}]));
    fc.assert(
      fc.property(damaged(sample), (data) =>
        succeedsOrThrows(KeyAnswerError, () => parseKeyAnswer(data, 'x')),
      ),
    );
  });
});
