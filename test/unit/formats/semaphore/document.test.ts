import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {decodeSemaphore} from '../../../../formats/semaphore/decode.ts';
import {encodeSemaphore} from '../../../../formats/semaphore/encode.ts';
import {
  INITIAL_SEMAPHORE,
  MAX_DOCUMENT_BYTES,
  MAX_HOLDERS,
  type Semaphore,
  SemaphoreError,
  type SemaphoreHolder,
} from '../../../../formats/semaphore/types.ts';
import {damaged, fc, succeedsOrThrows} from '../../../support/property.ts';
import {anySemaphore} from '../../../support/semaphore.ts';

const decode = (text: string): Semaphore => decodeSemaphore(Buffer.from(text), 'key');
const encode = (semaphore: Semaphore): string => Buffer.from(encodeSemaphore(semaphore)).toString('utf8');
const plain = (id: string): SemaphoreHolder => ({
  id,
  since: null,
  reason: null,
  version: null,
  isKept: false,
  extra: {},
});

function refuses(code: SemaphoreError['code'], text: string, pattern: RegExp): void {
  assert.throws(
    () => decode(text),
    (error) => error instanceof SemaphoreError && error.code === code && pattern.test(error.message),
    text,
  );
}

describe("locksmith's document", () => {
  it('is written as locksmith writes it when there is nothing of ours to say', () => {
    assert.equal(encode(INITIAL_SEMAPHORE), '{"semaphore":1,"max":1,"holders":null}');
    const held = {...INITIAL_SEMAPHORE, max: 2, holders: [plain('m1')]};
    assert.equal(encode(held), '{"semaphore":1,"max":2,"holders":["m1"]}');
  });

  it('is read without our part: nobody knows since when', () => {
    assert.deepEqual(decode('{"semaphore":1,"max":1,"holders":null}'), INITIAL_SEMAPHORE);
    assert.deepEqual(decode('{"semaphore":1,"max":1,"holders":[]}'), INITIAL_SEMAPHORE);
    assert.deepEqual(decode('{"semaphore":-1,"max":1,"holders":["b","a"]}').holders, [
      plain('a'),
      plain('b'),
    ]);
  });

  it('holds our part in one more object', () => {
    const text =
      '{"semaphore":0,"max":1,"holders":["m1"],"caisson":{"details":{"m1":{"since":"2026-11-21T10:00:00.000Z","reason":"update","version":"2.0.0","kept":true}},"expirySeconds":3600}}';
    const read = decode(text);
    assert.deepEqual(read.holders, [
      {
        id: 'm1',
        since: Date.UTC(2026, 10, 21, 10),
        reason: 'update',
        version: '2.0.0',
        isKept: true,
        extra: {},
      },
    ]);
    assert.equal(read.expirySeconds, 3600);
    assert.equal(encode(read), text);
  });

  it('keeps the fields of others where they are', () => {
    const text =
      '{"semaphore":0,"max":1,"holders":["m"],"caisson":{"details":{"m":{"rack":[1,{"a":null}]}},"later":true},"note":{"by":"ops"}}';
    assert.equal(encode(decode(text)), text);
  });

  it('drops details of who holds nothing', () => {
    const read = decode('{"semaphore":1,"max":1,"holders":null,"caisson":{"details":{"gone":{"since":7}}}}');
    assert.equal(encode(read), '{"semaphore":1,"max":1,"holders":null}');
  });

  it('takes any name for a holder that is no trap', () => {
    for (const id of ['__proto__', 'constructor', 'ä/ö %', '"']) {
      const semaphore = {...INITIAL_SEMAPHORE, holders: [{...plain(id), reason: 'r'}]};
      assert.deepEqual(decode(encode(semaphore)), semaphore);
    }
  });
});

describe('a document that is not read', () => {
  it('is corrupt when it contradicts itself or is broken', () => {
    refuses('corrupt', '', /not JSON/);
    refuses('corrupt', '{"semaphore":1,"max":1', /not JSON/);
    refuses('corrupt', '{"semaphore":1,"max":1,"holders":["a"]}', /semaphore is 1, expected 0/);
    refuses('corrupt', '{"semaphore":0,"max":2,"holders":["a","a"]}', /twice/);
    refuses('corrupt', '{"semaphore":1,"max":1}', /holders/);
    refuses('corrupt', '{"semaphore":1,"holders":[]}', /max/);
    refuses('corrupt', '{"semaphore":-1,"max":-1,"holders":[]}', /max/);
    refuses('corrupt', '{"semaphore":0.5,"max":1,"holders":[]}', /semaphore/);
    refuses('corrupt', '{"semaphore":0,"max":1,"holders":[""]}', /holders/);
    refuses('corrupt', '{"semaphore":0,"max":1,"holders":["a\\nb"]}', /holders/);
    refuses('corrupt', '{"semaphore":1,"max":1,"holders":[],"caisson":3}', /caisson/);
    refuses(
      'corrupt',
      '{"semaphore":0,"max":1,"holders":["a"],"caisson":{"details":{"a":{"since":"yesterday"}}}}',
      /details of "a": since/,
    );
    refuses(
      'corrupt',
      '{"semaphore":0,"max":1,"holders":["a"],"caisson":{"details":{"a":{"since":"2026-02-30T00:00:00.000Z"}}}}',
      /not a time/,
    );
    assert.throws(() => decodeSemaphore(Buffer.from([0xff]), 'key'), /not JSON/);
    assert.throws(() => decodeSemaphore(Buffer.alloc(MAX_DOCUMENT_BYTES + 1, ' '), 'key'), /more than/);
  });

  it('is foreign when it is JSON of something else', () => {
    refuses('foreign', '7', /a number/);
    refuses('foreign', 'null', /null/);
    refuses('foreign', '[]', /a list/);
    refuses('foreign', '{}', /nothing in it/);
    refuses('foreign', '{"total_slots":1,"holders":[]}', /"total_slots", "holders"/);
  });

  it('is not written either', () => {
    const holders = Array.from({length: MAX_HOLDERS}, (_, index) => ({
      ...plain(`${index}`.padStart(256, '0')),
      reason: 'r'.repeat(128),
    }));
    assert.throws(() => encodeSemaphore({...INITIAL_SEMAPHORE, holders}), /4096 holders/);
  });
});

describe('any semaphore', () => {
  it('comes back as it was written', () => {
    fc.assert(
      fc.property(anySemaphore, (semaphore) => assert.deepEqual(decode(encode(semaphore)), semaphore)),
    );
  });

  it('damaged, is read as another or refused by name', () => {
    const bytes = encodeSemaphore({
      ...INITIAL_SEMAPHORE,
      max: 3,
      holders: [{...plain('m1'), reason: 'update'}],
    });
    fc.assert(
      fc.property(damaged(bytes), (broken) =>
        succeedsOrThrows(SemaphoreError, () => {
          const read = decodeSemaphore(broken, 'key');
          assert.deepEqual(decodeSemaphore(encodeSemaphore(read), 'key'), read);
        }),
      ),
    );
  });

  it('whatever JSON lies there, is read or refused by name', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) =>
        succeedsOrThrows(SemaphoreError, () => decode(JSON.stringify(value))),
      ),
    );
  });
});
