import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {comparePackages, readPackages} from '../../../../server/page/packages.ts';
import {describePolicy} from '../../../../server/page/policy-words.ts';
import {ago, countOf, formatAge, formatPart} from '../../../../server/page/words.ts';
import {DEFAULT_POLICY_DOCUMENT, parsePolicy} from '../../../../server/rollout/policy.ts';
import {fc} from '../../../support/property.ts';

const HOUR = 3_600_000;

describe('numbers', () => {
  it('are said as people read them', () => {
    assert.equal(countOf(1, 'machine'), '1 machine');
    assert.equal(countOf(12_345, 'machine'), '12,345 machines');
    assert.deepEqual(
      [
        [0, 0],
        [1, 3000],
        [1, 30],
        [1, 2],
        [9999, 10_000],
        [5, 5],
      ].map(([part = 0, whole = 0]) => formatPart(part, whole)),
      ['0 %', '< 0.1 %', '3.3 %', '50 %', '> 99.9 %', '100 %'],
    );
  });

  it('are ages in the largest unit that has come round', () => {
    const ages = [-5, 59_999, 60_000, 47 * HOUR, 48 * HOUR, 100 * 24 * HOUR].map(formatAge);
    assert.deepEqual(ages, ['just now', 'just now', '1 min', '47 h', '2 days', '3 months']);
    assert.match(
      ago(0, HOUR).toString(),
      /datetime="1970-01-01T00:00:00\.000Z" title="1970-01-01 00:00 UTC">1 h ago</,
    );
  });
});

describe('the packages of a release', () => {
  const sbom = (packages: Readonly<Record<string, string>>): string =>
    JSON.stringify({
      packages: [
        {SPDXID: 'SPDXRef-Image', name: 'Caisson'},
        {SPDXID: 'tool', name: 'gcc', versionInfo: '12'},
        ...Object.entries(packages).map(([name, versionInfo]) => ({SPDXID: `p-${name}`, name, versionInfo})),
      ],
      relationships: [
        {spdxElementId: 'tool', relationshipType: 'BUILD_TOOL_OF', relatedSpdxElement: 'SPDXRef-Image'},
        ...Object.keys(packages).map((name) => ({
          ...{spdxElementId: 'SPDXRef-Image', relationshipType: 'CONTAINS', relatedSpdxElement: `p-${name}`},
        })),
      ],
    });

  it('are those that the image contains, against those before', () => {
    const [before, after] = [
      sbom({bash: '5.2', curl: '8.1', ed: '1'}),
      sbom({bash: '5.2', curl: '8.2', jq: '1.7'}),
    ].map(readPackages);
    assert.ok(before !== null && before !== undefined && after !== null && after !== undefined);
    assert.deepEqual([...before.keys()], ['bash', 'curl', 'ed']);
    assert.deepEqual(comparePackages(before, after), [
      {name: 'curl', before: '8.1', after: '8.2'},
      {name: 'ed', before: '1', after: null},
      {name: 'jq', before: null, after: '1.7'},
    ]);
  });

  it('are unknown where the document is no such document', () => {
    fc.assert(fc.property(fc.json(), (text) => void readPackages(text)));
    for (const text of ['', 'null', '[]', '{"packages": 1}', '{"packages": [{}], "relationships": []}'])
      assert.equal(readPackages(text), null);
  });
});

describe('the rules of a group', () => {
  it('are said in words', () => {
    const rules = new Map(describePolicy(parsePolicy(DEFAULT_POLICY_DOCUMENT, 'a test')));
    assert.equal(rules.get('Pace'), '10% every 1h');
    assert.equal(rules.get('Under way at once'), 'any number');
    assert.match(rules.get('Halts when') ?? '', /1 machine and 2% go back/);
    const careful = {
      canary: {machines: ['a'], share: '1%', good: 5, soak: '2h'},
      halt: {failed: null, rolledBack: null, lost: null, together: null},
    };
    const others = new Map(describePolicy(parsePolicy(careful, 'a test')));
    assert.equal(others.get('Canaries'), '1 machine by name and 1% of all; 5 good for 2h');
    assert.equal(others.get('Halts when'), 'never');
  });
});
