import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {MachineIdError, appSpecificId} from '../../../formats/app-specific-id.ts';

describe('appSpecificId', () => {
  it('is derived from both ids, and of the form of a random UUID', () => {
    const [machine, application] = ['0'.repeat(31) + '1', 'cdd4a7f2a3fd4c38a889c2252d74a7fb'];
    const id = appSpecificId(machine, application);
    assert.match(id, /^[0-9a-f]{12}4[0-9a-f]{3}[89ab][0-9a-f]{15}$/);
    assert.notEqual(id, appSpecificId(application, machine));
    assert.notEqual(id, appSpecificId(machine, machine));
  });

  for (const bad of ['', 'a'.repeat(31), 'g'.repeat(32), `${'a'.repeat(32)}\n`, 'A'.repeat(32)])
    it(`refuses ${JSON.stringify(bad)}`, () => {
      assert.throws(() => appSpecificId(bad, 'a'.repeat(32)), MachineIdError);
      assert.throws(() => appSpecificId('a'.repeat(32), bad), MachineIdError);
    });
});
