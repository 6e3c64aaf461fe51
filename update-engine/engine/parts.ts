/** What the engine is made of; handed to it, so that tests run the whole of it with a clock and a disk of their own. */
import type {Guid} from '../../formats/guid.ts';
import type {UpdateConf} from '../../formats/update-conf.ts';
import type {HttpClient, HttpClientOptions, HttpExchange} from '../../platform/http.ts';
import type {Journal} from '../../platform/journal.ts';
import type {BootImage} from '../boot-image.ts';
import type {Identity} from '../identity.ts';
import type {HostPaths} from '../paths.ts';
import type {StateStore} from '../state/store.ts';
import type {Clock} from '../clock.ts';
import type {RebootDoors} from '../reboot/coordinator.ts';
import type {HistoryBook} from './history.ts';
import type {HostSlots} from './host-slots.ts';
import type {Reporter} from './reporter.ts';

export interface World {
  paths: HostPaths;
  identity: Identity;
  clock: Clock;
  /** From 0 (inclusive) to 1 (exclusive). */
  random: () => number;
  randomGuid: () => Guid;
  journal: Journal;
  createHttp: (options: HttpClientOptions) => HttpClient & HttpExchange;
  /** Restarts the machine. */
  reboot: () => Promise<void>;
  /** What a restart is made to depend on, by the configuration that counts when it is asked. */
  rebootDoors: (conf: () => UpdateConf) => RebootDoors;
  /** One line of status for systemd. */
  showStatus: (text: string) => void;
  pid: number;
  /** Milliseconds since the machine started. */
  uptimeMs: () => number;
  /** Undefined on a host that runs from a disk. */
  bootImage?: BootImage | undefined;
}

export interface EngineParts extends World {
  state: StateStore;
  history: HistoryBook;
  slots: HostSlots;
  reporter: Reporter;
  conf: ConfHolder;
}

/** The configuration that counts now. */
export interface ConfHolder {
  current(): UpdateConf;
  /** Reads it again. */
  reload(): Promise<UpdateConf>;
}
