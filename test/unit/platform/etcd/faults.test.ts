import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import type {EtcdErrorCode} from '../../../../platform/etcd/errors.ts';
import {faultOfAnswer, faultOfRequest} from '../../../../platform/etcd/faults.ts';
import type {HttpError} from '../../../../platform/http-error.ts';
import {explainHttpFailure} from '../../../../platform/http-error.ts';

const AT = 'https://10.0.0.1:2379';

describe('what a member answers', () => {
  // As etcd 3.5.16 says it; and whether a write may have been done.
  const cases: [number, string, EtcdErrorCode, boolean][] = [
    [503, 'etcdserver: no leader', 'no-quorum', true],
    [503, 'etcdserver: request timed out', 'timed-out', true],
    [504, 'context deadline exceeded', 'timed-out', true],
    [503, 'etcdserver: leader changed', 'timed-out', true],
    [429, 'etcdserver: mvcc: database space exceeded', 'read-only', false],
    [503, 'etcdserver: rpc not supported for learner', 'read-only', false],
    [403, 'etcdserver: permission denied', 'credentials', false],
    [401, 'etcdserver: invalid auth token', 'credentials', false],
    [400, 'etcdserver: user name is empty', 'credentials', false],
    [400, 'etcdserver: authentication failed, invalid user ID or password', 'credentials', false],
    [503, 'etcdserver: server stopped', 'unreachable', true],
    [400, 'etcdserver: key is not provided', 'refused', false],
    [500, 'something new', 'refused', true],
  ];
  for (const [status, saying, code, mayBeDone] of cases)
    it(`${status} ${saying}`, () => {
      const fault = faultOfAnswer(AT, status, saying);
      assert.deepEqual([fault.code, fault.mayBeDone, fault.saying], [code, mayBeDone, saying]);
      assert.ok(fault.message.includes(AT) && fault.message.includes(saying.replace('etcdserver: ', '')));
    });
});

describe('a request without an answer', () => {
  const system = (code: string, message = code): HttpError =>
    explainHttpFailure(AT, Object.assign(new Error(message), {code}));

  it('was never sent, or may have been done', () => {
    for (const code of ['ECONNREFUSED', 'ENOTFOUND', 'EHOSTUNREACH', 'UND_ERR_CONNECT_TIMEOUT'])
      assert.equal(faultOfRequest(AT, system(code), false).mayBeDone, false, code);
    for (const code of ['ECONNRESET', 'UND_ERR_SOCKET', 'EPIPE'])
      assert.equal(faultOfRequest(AT, system(code), false).mayBeDone, true, code);
    const late = faultOfRequest(AT, new Error('aborted'), true);
    assert.deepEqual([late.code, late.mayBeDone, late.retryable], ['timed-out', true, true]);
  });

  it('names what is wrong with a certificate', () => {
    const alert = (text: string): string =>
      faultOfRequest(
        AT,
        system('ERR_SSL_X', `error:0A000418:SSL routines:ssl3_read_bytes:${text}:SSL alert`),
        false,
      ).message;
    assert.match(alert('tlsv13 alert certificate required'), /wants a client certificate/);
    assert.match(alert('sslv3 alert bad certificate'), /refuses our client certificate \(bad certificate\)/);
    assert.match(alert('tlsv1 alert unknown ca'), /refuses our client certificate \(unknown ca\)/);
    const unsigned = faultOfRequest(AT, system('UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'unable to verify'), false);
    assert.deepEqual([unsigned.code, /CA file/.test(unsigned.hint ?? '')], ['certificate', true]);
  });

  it('that ended at once hints at the wrong scheme', () => {
    const plain = faultOfRequest('http://a:1', system('UND_ERR_SOCKET', 'other side closed'), false);
    assert.match(plain.hint ?? '', /https:/);
    const secure = faultOfRequest(AT, system('ECONNRESET', 'socket disconnected before'), false);
    assert.match(secure.hint ?? '', /http:/);
  });

  it('passes on what is of etcd already', () => {
    const fault = faultOfAnswer(AT, 503, 'etcdserver: no leader');
    assert.equal(faultOfRequest(AT, fault, false), fault);
  });
});
