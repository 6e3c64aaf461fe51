import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {createEtcdClient} from '../../../../platform/etcd/client.ts';
import type {HttpExchange, HttpRequest} from '../../../../platform/http.ts';

const never = new AbortController().signal;

async function* bodyOf(text: string): AsyncGenerator<Uint8Array> {
  yield await Promise.resolve(Buffer.from(text));
}

describe('createEtcdClient', () => {
  it('gives etcd a whole number of milliseconds, also of a time that is partly over', async () => {
    const asked: HttpRequest[] = [];
    const http: HttpExchange = {
      exchange: (_url, request) => {
        asked.push(request);
        return Promise.resolve({status: 200, headers: {}, body: bodyOf('{"header":{"revision":"1"}}')});
      },
    };
    const etcd = createEtcdClient({
      ...{endpoints: ['http://127.0.0.1:1'], http, user: null},
      ...{attemptTimeoutMs: 60_000, timeoutMs: 15_000},
    });
    await etcd.range({key: 'a'}, never);
    const given = asked.map(({headers}) => headers['grpc-timeout'] ?? '');
    // gRPC over HTTP/2, "Requests": at most eight digits and a unit.
    assert.match(given.join(), /^\d{1,8}m$/);
    assert.ok(Number.parseInt(given.join(), 10) <= 15_000);
  });
});
