/** The switch of clusters over real sockets, with QEMU's part played by the test; real QEMU is in test/vm/. */
import assert from 'node:assert/strict';
import {once} from 'node:events';
import {mkdtemp, rm} from 'node:fs/promises';
import {connect, type Socket} from 'node:net';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterEach, beforeEach, describe, it} from 'node:test';
import {setImmediate as turn} from 'node:timers/promises';
import {encodeFrame, FrameSplitter} from '../../qemu/cluster/frames.ts';
import {QUEUE_MAX_BYTES} from '../../qemu/cluster/jack.ts';
import {EthernetSwitch} from '../../qemu/cluster/switch.ts';

const BROADCAST = 'ffffffffffff';
const ADDRESSES = {one: '525400000001', two: '525400000002', three: '525400000003'} as const;
type Name = keyof typeof ADDRESSES;

/** A machine's side of a cable. */
class Station {
  readonly cable: Socket;
  readonly #frames = new FrameSplitter();
  readonly #received: string[] = [];
  readonly #waiting: (() => void)[] = [];

  constructor(cable: Socket) {
    this.cable = cable;
    cable.on('error', () => undefined);
    cable.on('data', (chunk: Buffer) => {
      for (const frame of this.#frames.push(chunk)) this.#received.push(frame.toString('latin1', 14));
      for (const wake of this.#waiting.splice(0)) wake();
    });
  }

  /** What came, once `count` frames are there. */
  async received(count: number): Promise<readonly string[]> {
    while (this.#received.length < count) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    return this.#received;
  }
}

function frame(from: string, to: string, text: string): Buffer {
  return Buffer.concat([Buffer.from(`${to}${from}88b5`, 'hex'), Buffer.from(text, 'latin1')]);
}

describe('the switch', {timeout: 300_000}, () => {
  let folder: string;
  let network: EthernetSwitch;
  let faults: string[];
  const paths = new Map<string, string>();
  const stations = new Map<Name, Station>();

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'switch-'));
    faults = [];
    network = new EthernetSwitch({
      folder,
      now: () => performance.now(),
      onFault: (name, error) => faults.push(`${name}: ${error.message}`),
    });
    for (const name of Object.keys(ADDRESSES) as Name[]) {
      paths.set(name, await network.addJack(name));
      stations.set(name, await plug(name));
    }
  });

  afterEach(async () => {
    for (const {cable} of stations.values()) cable.destroy();
    await network.close();
    await rm(folder, {recursive: true});
  });

  async function plug(name: Name): Promise<Station> {
    const cable = connect({path: paths.get(name) ?? ''});
    const station = new Station(cable);
    await once(cable, 'connect');
    // The switch learns of it a turn later.
    while (!network.state(name).isPlugged) await turn();
    return station;
  }

  function station(name: Name): Station {
    const found = stations.get(name);
    assert.ok(found !== undefined);
    return found;
  }

  function send(from: Name, to: Name | 'all', text: string): void {
    const destination = to === 'all' ? BROADCAST : ADDRESSES[to];
    station(from).cable.write(encodeFrame(frame(ADDRESSES[from], destination, text)));
  }

  /** Every station says where it is. */
  async function introduce(): Promise<void> {
    for (const name of stations.keys()) send(name, 'all', `hello from ${name}`);
    await Promise.all([...stations.values()].map((each) => each.received(2)));
  }

  it('sends to all what is for all or for someone unknown, and to one what is for one', async () => {
    send('one', 'two', 'where are you');
    assert.deepEqual(await station('two').received(1), ['where are you']);
    assert.deepEqual(await station('three').received(1), ['where are you']);
    send('two', 'one', 'here');
    assert.deepEqual(await station('one').received(1), ['here']);
    send('one', 'two', 'good');
    send('one', 'all', 'last');
    assert.deepEqual(await station('two').received(3), ['where are you', 'good', 'last']);
    assert.deepEqual(await station('three').received(2), ['where are you', 'last']);
  });

  it('carries hundreds of frames both ways, in odd chunks, whole and in order', async () => {
    await introduce();
    const texts = Array.from({length: 700}, (_, index) => `${index} ${'x'.repeat((index * 37) % 1500)}`);
    const pour = async (from: Name, to: Name): Promise<void> => {
      const stream = Buffer.concat(
        texts.map((text) => encodeFrame(frame(ADDRESSES[from], ADDRESSES[to], text))),
      );
      for (let at = 0, length = 1; at < stream.length; at += length) {
        length = 1 + ((at * 31) % 997);
        if (!station(from).cable.write(stream.subarray(at, at + length)))
          await once(station(from).cable, 'drain');
      }
    };
    await Promise.all([pour('one', 'two'), pour('two', 'one'), pour('three', 'two')]);
    assert.deepEqual((await station('one').received(2 + 700)).slice(2), texts);
    const both = (await station('two').received(2 + 1400)).slice(2);
    assert.deepEqual([...both].sort(), [...texts, ...texts].sort());
    assert.equal((await station('three').received(2)).length, 2);
    assert.equal(network.state('two').dropped, 0);
  });

  it('cuts a link in both directions, and joins it again', async () => {
    await introduce();
    network.cut('two');
    send('two', 'all', 'lost on the way out');
    send('one', 'two', 'lost on the way in');
    send('one', 'all', 'to those who are left');
    assert.equal((await station('three').received(3)).at(-1), 'to those who are left');
    assert.deepEqual([network.state('two').isCut, network.state('two').isPlugged], [true, true]);
    network.join('two');
    // The switch forgot where two was, and asks around.
    send('one', 'two', 'again');
    assert.deepEqual((await station('two').received(3)).slice(2), ['again']);
    // What two sent while it was cut off may still be in its socket: it comes before this.
    send('two', 'one', 'back');
    assert.equal((await station('one').received(3)).at(-1), 'back');
  });

  it('drops what a machine does not read, and goes on for the others', async () => {
    await introduce();
    station('two').cable.pause();
    const text = 'y'.repeat(1400);
    const total = Math.ceil((8 * QUEUE_MAX_BYTES) / text.length);
    for (let count = 0; count < total; count += 1) {
      send('one', 'all', text);
      if (count % 50 === 0) await station('three').received(2 + count);
    }
    assert.equal((await station('three').received(2 + total)).length, 2 + total);
    const {sent, dropped} = network.state('two');
    assert.equal(sent + dropped, 2 + total);
    assert.ok(dropped > total / 2, `${dropped} of ${total} dropped`);
    station('two').cable.resume();
    await station('two').received(sent);
    send('one', 'two', 'awake again');
    assert.equal((await station('two').received(sent + 1)).at(-1), 'awake again');
  });

  it('unplugs a machine that sends what is no frame, and takes its next start', async () => {
    await introduce();
    const {cable} = station('two');
    cable.write(Buffer.from('ffffffff00', 'hex'));
    await once(cable, 'close');
    assert.match(faults.join(), /^two: a frame of 4294967295 bytes/);
    assert.equal(network.state('two').isPlugged, false);
    send('one', 'two', 'nobody there');
    assert.equal((await station('three').received(3)).at(-1), 'nobody there');
    stations.set('two', await plug('two'));
    send('one', 'two', 'welcome');
    assert.deepEqual(await station('two').received(1), ['welcome']);
  });

  it('gives a jack to the machine that was plugged in last', async () => {
    const before = station('two');
    stations.set('two', await plug('two'));
    await once(before.cable, 'close');
    send('one', 'two', 'hello');
    assert.deepEqual(await station('two').received(1), ['hello']);
    assert.deepEqual(faults, []);
  });

  it('has one jack of a name', async () => {
    await assert.rejects(network.addJack('one'), /has a jack one already/);
    assert.throws(() => network.cut('four'), /has no jack four/);
  });
});
