/** What the steps of a build share. */
import type {Definition} from '../definition.ts';
import type {PackageLock} from '../lock.ts';
import type {PackageCache} from '../packages.ts';
import type {Toolbox} from '../toolbox.ts';
import type {OverlaySource} from '../tree/overlay.ts';
import type {UpdateKey} from '../update-keys.ts';

export interface StepContext {
  definition: Definition;
  lock: PackageLock;
  packages: PackageCache;
  toolbox: Toolbox;
  /** overlays/os first, then the site's folder; later ones win. */
  overlays: readonly OverlaySource[];
  /** Whose signatures the hosts of this release accept. */
  updateKeys: readonly UpdateKey[];
  channelKeys: readonly UpdateKey[];
  /** The repository's own directory. */
  rootDir: string;
  /** In memory or below the cache; gone when the build ends. */
  scratchDir: string;
  signal: AbortSignal;
  warn: (text: string) => void;
}
