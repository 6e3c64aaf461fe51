/**
 * A small learning switch: the network of a cluster of virtual machines, without root, bridges or firewall rules.
 *
 * Why not QEMU's own `-netdev socket,mcast=`: every machine of this host that joins the group would see the frames, and
 * no link can be cut. Why not a bridge with taps: that needs root and leaves things behind.
 */
import {join} from 'node:path';
import {QemuError} from '../errors.ts';
import {AddressTable} from './address-table.ts';
import {decodeFrameHead, isGroupAddress} from './frames.ts';
import {Jack, type JackCounters} from './jack.ts';

export interface SwitchOptions {
  /** A private folder for the sockets; its path must be short (see runtime-folder.ts). */
  folder: string;
  /** Milliseconds on a clock that never goes back. */
  now: () => number;
  /** Hears when a machine sent what is no frame, and was unplugged for it. */
  onFault?: (name: string, error: Error) => void;
}

export interface LinkState extends JackCounters {
  isPlugged: boolean;
  isCut: boolean;
}

interface Link {
  jack: Jack;
  isCut: boolean;
}

export class EthernetSwitch {
  readonly #options: SwitchOptions;
  readonly #links = new Map<string, Link>();
  readonly #addresses = new AddressTable<string>();

  constructor(options: SwitchOptions) {
    this.#options = options;
  }

  /** Makes a jack and returns the path of its socket. Throws QemuError `bad-spec` when the name is taken. */
  async addJack(name: string): Promise<string> {
    if (this.#links.has(name)) throw new QemuError('bad-spec', `the switch has a jack ${name} already`);
    const jack = await Jack.open(join(this.#options.folder, `${name}.sock`), {
      onFrame: (frame) => this.#forward(name, frame),
      onUnplug: (error) => {
        this.#addresses.forget(name);
        if (error !== undefined) this.#options.onFault?.(name, error);
      },
    });
    this.#links.set(name, {jack, isCut: false});
    return jack.path;
  }

  /**
   * From now on no frame passes, in either direction. The machine sees its cable plugged in: as if it were cut behind
   * the next switch, which is the fault that nobody is told of.
   */
  cut(name: string): void {
    this.#link(name).isCut = true;
    this.#addresses.forget(name);
  }

  join(name: string): void {
    this.#link(name).isCut = false;
  }

  state(name: string): LinkState {
    const {jack, isCut} = this.#link(name);
    return {...jack.counters, isPlugged: jack.isPlugged, isCut};
  }

  async close(): Promise<void> {
    const links = [...this.#links.values()];
    this.#links.clear();
    await Promise.all(links.map(({jack}) => jack.close()));
  }

  #link(name: string): Link {
    const link = this.#links.get(name);
    if (link === undefined) {
      const known = [...this.#links.keys()].join(', ');
      throw new QemuError('bad-spec', `the switch has no jack ${name}`, {hint: `it has: ${known}`});
    }
    return link;
  }

  #forward(from: string, frame: Buffer): void {
    const sender = this.#links.get(from);
    if (sender === undefined || sender.isCut) return;
    const {destination, source} = decodeFrameHead(frame);
    const now = this.#options.now();
    this.#addresses.learn(source, from, now);
    const target = isGroupAddress(destination) ? undefined : this.#addresses.find(destination, now);
    if (target === from) return;
    for (const [name, {jack, isCut}] of this.#links) {
      if (name === from || isCut || (target !== undefined && name !== target)) continue;
      jack.send(frame);
    }
  }
}
