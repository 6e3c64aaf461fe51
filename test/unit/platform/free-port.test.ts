import assert from 'node:assert/strict';
import {type AddressInfo, createServer} from 'node:net';
import {describe, it} from 'node:test';
import {findFreePort} from '../../../platform/free-port.ts';

describe('findFreePort', () => {
  it('gives the preferred port if it is free, and another one if not', async () => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    const {port} = taken.address() as AddressInfo;
    const other = await findFreePort(port);
    assert.notEqual(other, port);
    assert.ok(other > 0);
    await new Promise((resolve) => taken.close(resolve));
    assert.equal(await findFreePort(port), port);
  });
});
