import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {findMember, MAX_MEMBERS, planMembers, quorumOf} from '../../../../qemu/cluster/plan.ts';
import {QemuError} from '../../../../qemu/errors.ts';

function isBadSpec(error: unknown): boolean {
  return error instanceof QemuError && error.code === 'bad-spec';
}

describe('planMembers', () => {
  it('derives names and addresses from the number', () => {
    assert.deepEqual(planMembers(3)[1], {
      number: 2,
      name: 'node2',
      address: '10.77.0.12',
      mac: '52:54:00:ca:77:02',
    });
  });

  it('gives nobody what another has', () => {
    const members = planMembers(MAX_MEMBERS);
    for (const key of ['number', 'name', 'address', 'mac'] as const)
      assert.equal(new Set(members.map((member) => member[key])).size, MAX_MEMBERS);
  });

  for (const count of [0, -1, 1.5, NaN, MAX_MEMBERS + 1])
    it(`refuses ${count} members`, () => assert.throws(() => planMembers(count), isBadSpec));
});

describe('findMember', () => {
  it('takes a number or a name', () => {
    const members = planMembers(3);
    assert.equal(findMember(members, '3').name, 'node3');
    assert.equal(findMember(members, 'node3').name, 'node3');
  });

  for (const wanted of ['', '0', '4', 'node', 'node04', '03'])
    it(`refuses ${JSON.stringify(wanted)}`, () =>
      assert.throws(() => findMember(planMembers(3), wanted), isBadSpec));
});

describe('quorumOf', () => {
  for (const [members, quorum] of [
    [1, 1],
    [2, 2],
    [3, 2],
    [4, 3],
    [5, 3],
    [7, 4],
  ] as const)
    it(`is ${quorum} of ${members}`, () => assert.equal(quorumOf(members), quorum));
});
