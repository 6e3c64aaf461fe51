/**
 * The reboot lock under chaos: three members of etcd that die and lose their links, two hundred hosts, and a history that
 * must be possible. A slice on every run; `npm run test:all` and `npm run model-check` do the whole.
 */
import assert from 'node:assert/strict';
import {it} from 'node:test';
import {describeModelCheck, runModelCheck} from '../support/lock-model/run.ts';

const SLICE = 1000;

it('never grants a slot too many, never loses an unlock, never forgets a holder', async (context) => {
  const operations = Number(process.env['CAISSON_LOCK_OPERATIONS'] ?? SLICE);
  const seed = Number(process.env['CAISSON_SEED'] ?? 1);
  const result = await runModelCheck({operations, hosts: 200, seed});
  context.diagnostic(describeModelCheck(result));
  assert.deepEqual(result.faults, []);
  const granted = result.history.operations.filter(({outcome}) => outcome === 'held').length;
  assert.ok(granted > 20, `only ${granted} slots were granted: the check shows nothing`);
  assert.ok(result.kills + result.linkCuts > 0, 'nothing broke: the check shows nothing');
});
