import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {parseForwards} from '../../../qemu/user-network.ts';

/** From QEMU 7.2's monitor (`info usernet`), with one connection open. */
const LISTING = [
  'Hub -1 (net0):',
  '  Protocol[State]    FD  Source Address  Port   Dest. Address  Port RecvQ SendQ',
  '  TCP[ESTABLISHED]   20       127.0.0.1 51234       10.0.2.15    22     0     0',
  '  TCP[HOST_FORWARD]  13       127.0.0.1 33307       10.0.2.15    22     0     0',
  '  TCP[HOST_FORWARD]  14       127.0.0.1  8080       10.0.2.15    80     0     0',
  '  UDP[1 sec]         15       10.0.2.15 50000        10.0.2.3    53     0     0',
  '',
].join('\r\n');

describe('parseForwards', () => {
  it('finds the forwards among the connections', () => {
    assert.deepEqual(parseForwards(LISTING), [
      {hostPort: 33307, guestPort: 22},
      {hostPort: 8080, guestPort: 80},
    ]);
  });

  it('finds none in an empty listing', () => assert.deepEqual(parseForwards(''), []));
});
