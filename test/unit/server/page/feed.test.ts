import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {type Feed, createFeed} from '../../../../server/page/feed.ts';

/** Time goes by only when a stream sleeps. */
function world(mostStreams = 10): {feed: Feed; slept: number[]} {
  const slept: number[] = [];
  let at = 0;
  const feed = createFeed({
    mostStreams,
    now: () => at,
    sleep: (ms, signal) => {
      if (!signal.aborted) {
        slept.push(ms);
        at += ms;
      }
      return Promise.resolve();
    },
  });
  return {feed, slept};
}

function follow(feed: Feed, signal = new AbortController().signal): () => Promise<string | null> {
  const open = feed.open();
  assert.ok(open !== null);
  const stream = open(signal);
  return async () => {
    const next: IteratorResult<Uint8Array, void> = await stream.next();
    return next.done === true ? null : Buffer.from(next.value).toString();
  };
}

describe('the feed', () => {
  it('tells of all that changed since, once', async () => {
    const {feed} = world();
    const next = follow(feed);
    assert.equal(await next(), 'retry: 3000\n\n');
    for (const group of ['alpha', 'beta', 'alpha']) feed.announce([group]);
    assert.equal(await next(), 'event: change\ndata: {"groups":["alpha","beta"]}\n\n');
    feed.announce(['alpha']);
    feed.announce([]);
    assert.equal(await next(), 'event: change\ndata: {"groups":null}\n\n');
  });

  it('says that it is still here when nothing happens, and rests a second after each message', async () => {
    const {feed, slept} = world();
    const next = follow(feed);
    await next();
    assert.equal(await next(), ': still here\n\n');
    assert.equal(await next(), ': still here\n\n');
    assert.deepEqual(slept, [20_000, 1000, 20_000]);
  });

  it('lets a stream end after a while, with its reader, and with the server', async () => {
    const {feed} = world();
    const next = follow(feed);
    let messages = 0;
    while ((await next()) !== null) messages += 1;
    assert.ok(messages > 40 && messages < 50, String(messages));

    const reader = new AbortController();
    const gone = follow(feed, reader.signal);
    await gone();
    reader.abort();
    assert.equal(await gone(), null);

    const last = follow(feed);
    await last();
    feed.close();
    assert.equal(await last(), null);
    assert.equal(feed.open(), null);
  });

  it('has so many streams and no more', async () => {
    const {feed} = world(2);
    const reader = new AbortController();
    const [first, second] = [follow(feed, reader.signal), follow(feed)];
    await first();
    await second();
    assert.equal(feed.open(), null);
    reader.abort();
    assert.equal(await first(), null);
    assert.notEqual(feed.open(), null);
  });
});
