import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {AddressError, parseListenAddress} from '../../../formats/listen-address.ts';

describe('parseListenAddress', () => {
  const good: [string, string, number][] = [
    ['127.0.0.1:8000', '127.0.0.1', 8000],
    ['[::1]:80', '::1', 80],
    ['localhost:0', 'localhost', 0],
  ];
  for (const [text, host, port] of good)
    it(`reads ${text}`, () => assert.deepEqual(parseListenAddress(text), {host, port}));
  for (const text of ['8000', ':8000', '::1:80', 'a:65536', 'a b:1', 'a:'])
    it(`refuses ${text}`, () => assert.throws(() => parseListenAddress(text), AddressError));
});
