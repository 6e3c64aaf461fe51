import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {
  closeModules,
  KernelModulesError,
  moduleName,
  parseModuleIndex,
} from '../../../formats/kernel-modules.ts';
import {fc} from '../../support/property.ts';

const FILES = {
  dep: [
    'kernel/fs/ext4/ext4.ko.xz: kernel/fs/jbd2/jbd2.ko.xz kernel/lib/crc16.ko.xz',
    'kernel/fs/jbd2/jbd2.ko.xz:',
    'kernel/lib/crc16.ko.xz:',
    'kernel/crypto/crc32c_generic.ko.xz:',
    'kernel/crypto/crc32c-intel.ko.xz:',
    'kernel/drivers/md/dm-verity.ko.xz: kernel/drivers/md/dm-mod.ko.xz',
    'kernel/drivers/md/dm-mod.ko.xz:',
    'kernel/a.ko: kernel/b.ko',
    'kernel/b.ko:',
    '',
  ].join('\n'),
  builtin: 'kernel/crypto/sha256_generic.ko\nkernel/virtio-ring.ko\n',
  softdep:
    '# made by depmod\nsoftdep ext4 pre: crypto-crc32c nowhere\nsoftdep b ignored pre: a post: dm-mod\n',
  alias: [
    'alias crypto-crc32c crc32c_generic',
    'alias crypto-crc32c crc32c_intel',
    'alias pci:v00008086d*sv* e1000',
    'alias of:N*T*Cfoo bar baz',
    '',
  ].join('\n'),
};
const INDEX = parseModuleIndex(FILES);

function rejects(code: string, pattern: RegExp, action: () => unknown): void {
  assert.throws(action, (error) => {
    assert.ok(error instanceof KernelModulesError);
    assert.equal(error.code, code);
    assert.match(error.message, pattern);
    return true;
  });
}

describe('moduleName', () => {
  it('takes folder, ending and compression away and writes - as _', () => {
    for (const text of [
      'dm-verity',
      'dm_verity',
      'kernel/md/dm-verity.ko',
      'dm-verity.ko.zst',
      'x/dm_verity.ko.xz',
    ]) {
      assert.equal(moduleName(text), 'dm_verity');
    }
  });
});

describe('closeModules', () => {
  it('puts what is needed first', () => {
    assert.deepEqual(closeModules(INDEX, ['dm-verity']), {
      paths: ['kernel/drivers/md/dm-mod.ko.xz', 'kernel/drivers/md/dm-verity.ko.xz'],
      builtin: [],
      absentSoft: [],
    });
  });

  it('follows soft dependencies through aliases and reports those that are absent', () => {
    assert.deepEqual(closeModules(INDEX, ['ext4']), {
      paths: [
        'kernel/lib/crc16.ko.xz',
        'kernel/crypto/crc32c_generic.ko.xz',
        'kernel/crypto/crc32c-intel.ko.xz',
        'kernel/fs/jbd2/jbd2.ko.xz',
        'kernel/fs/ext4/ext4.ko.xz',
      ],
      builtin: [],
      absentSoft: ['nowhere'],
    });
  });

  it('gives a hard dependency the word over a soft one that contradicts it', () => {
    assert.deepEqual(closeModules(INDEX, ['b']).paths, [
      'kernel/b.ko',
      'kernel/a.ko',
      'kernel/drivers/md/dm-mod.ko.xz',
    ]);
  });

  it('knows what is built in', () => {
    assert.deepEqual(closeModules(INDEX, ['virtio_ring', 'sha256-generic']), {
      paths: [],
      builtin: ['sha256_generic', 'virtio_ring'],
      absentSoft: [],
    });
  });

  it('names every module that does not exist', () => {
    rejects('unknown-module', /: nfs, zfs$/, () => closeModules(INDEX, ['zfs', 'ext4', 'nfs']));
  });

  it('refuses modules that need each other', () => {
    const circle = parseModuleIndex({dep: 'a.ko: b.ko\nb.ko: a.ko\n', builtin: ''});
    rejects('cycle', /a, b|b, a/, () => closeModules(circle, ['a']));
  });

  it('orders any set so that insmod works, whatever order it was asked in', () => {
    const names = [...INDEX.modules.keys()];
    fc.assert(
      fc.property(fc.shuffledSubarray(names), (wanted) => {
        const {paths} = closeModules(INDEX, wanted);
        const loaded = new Set<string>();
        for (const path of paths) {
          const module = INDEX.modules.get(moduleName(path));
          assert.ok(
            module?.needs.every((need) => loaded.has(need)),
            path,
          );
          loaded.add(moduleName(path));
        }
        assert.ok(wanted.every((name) => loaded.has(name)));
        assert.deepEqual(closeModules(INDEX, [...wanted].reverse()).paths, paths);
      }),
    );
  });

  it('walks a chain longer than the call stack', () => {
    const dep = Array.from({length: 30_000}, (_, n) => `m${n}.ko:${n === 0 ? '' : ` m${n - 1}.ko`}`).join(
      '\n',
    );
    assert.equal(closeModules(parseModuleIndex({dep, builtin: ''}), ['m29999']).paths.length, 30_000);
  });
});

describe('parseModuleIndex', () => {
  it('refuses lines of another form', () => {
    for (const dep of ['a.ko', 'a.txt:', 'a.ko:b.ko', 'a.ko: b.ko:', 'a.ko:\na.ko.xz:']) {
      rejects('bad-line', /modules\.dep/, () => parseModuleIndex({dep, builtin: ''}));
    }
    rejects('bad-line', /softdep/, () => parseModuleIndex({...FILES, softdep: 'options a b=1'}));
    rejects('bad-line', /alias/, () => parseModuleIndex({...FILES, alias: 'alias x'}));
  });

  it('refuses a dependency on a file that is not there', () => {
    rejects('unknown-module', /a\.ko needs b/, () => parseModuleIndex({dep: 'a.ko: b.ko', builtin: ''}));
  });
});
