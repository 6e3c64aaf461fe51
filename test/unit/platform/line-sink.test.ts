import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {createLineSink} from '../../../platform/line-sink.ts';

/** A stream that keeps what it is given until somebody reads. */
function slowStream(): {written: string[]; writableLength: number; write: (text: string) => boolean} {
  return {
    written: [],
    writableLength: 0,
    write(text) {
      this.written.push(text);
      this.writableLength += text.length;
      return true;
    },
  };
}

const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

describe('createLineSink', () => {
  it('writes what comes at once at once', async () => {
    const stream = slowStream();
    const {line} = createLineSink(stream);
    for (const text of ['a', 'b', 'c']) line(text);
    assert.deepEqual(stream.written, []);
    await turn();
    assert.deepEqual(stream.written, ['a\nb\nc\n']);
  });

  it('leaves lines out when nobody reads, and says how many', async () => {
    const stream = slowStream();
    const {line, flush} = createLineSink(stream);
    line('x'.repeat(1 << 20));
    await turn();
    for (const text of ['a', 'b', 'c']) line(text);
    await turn();
    assert.equal(stream.written.length, 1);
    stream.writableLength = 0;
    line('d');
    flush();
    assert.equal(stream.written[1], 'd\n3 lines were left out, because nobody took them in time\n');
    await turn();
    assert.equal(stream.written.length, 2);
  });
});
