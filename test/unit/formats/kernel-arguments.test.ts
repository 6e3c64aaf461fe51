import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {kernelArgument} from '../../../formats/kernel-arguments.ts';

describe('kernelArgument', () => {
  it('takes the last of a name, without quotes', () => {
    assert.equal(kernelArgument('a=1 b="2" a=3\n', 'a'), '3');
    assert.equal(kernelArgument('a=1 b="2"', 'b'), '2');
    assert.equal(kernelArgument('url=http://b/?c=d', 'url'), 'http://b/?c=d');
  });

  it('takes - and _ in a name for the same, and nowhere else', () => {
    assert.equal(kernelArgument('cloud-config-url=a cloud_config_url=b-c_d', 'cloud-config-url'), 'b-c_d');
    assert.equal(kernelArgument('cloud_config_url=b cloud-config-url=a', 'cloud_config_url'), 'a');
  });

  it('sees neither longer names, nor words without a value', () => {
    assert.equal(kernelArgument('ab=1 a xa=2', 'a'), null);
    assert.equal(kernelArgument('a=1 a=', 'a'), null);
    assert.equal(kernelArgument('a=1 a', 'a'), null);
    assert.equal(kernelArgument('', 'a'), null);
  });
});
