import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {deviceNumber} from '../../../../update-engine/slots/holders.ts';
import {parseMounts} from '../../../../update-engine/slots/mounts.ts';

describe('parseMounts', () => {
  it('reads lines with and without optional fields, and their escapes', () => {
    const text = [
      '22 1 254:5 / / rw,relatime shared:1 - ext4 /dev/vda5 rw',
      '23 22 253:0 / /usr ro,relatime shared:2 master:1 - erofs /dev/mapper/usr ro,user_xattr',
      '24 22 0:40 /a\\040b /mnt/with\\040space rw - overlay overlay rw',
      'nonsense',
      '',
    ].join('\n');
    assert.deepEqual(parseMounts(text), [
      {device: '254:5', root: '/', path: '/', fileSystem: 'ext4', source: '/dev/vda5'},
      {device: '253:0', root: '/', path: '/usr', fileSystem: 'erofs', source: '/dev/mapper/usr'},
      {device: '0:40', root: '/a b', path: '/mnt/with space', fileSystem: 'overlay', source: 'overlay'},
    ]);
  });
});

describe('deviceNumber', () => {
  it('takes major and minor apart', () => {
    assert.deepEqual([0xfd00n, 0xfe02n, 0x10_0305n].map(deviceNumber), ['253:0', '254:2', '3:261']);
  });
});
