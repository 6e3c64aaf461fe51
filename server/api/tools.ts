/** What the calls of the API work with. */
import type {PromoteTools} from '../publish/promote.ts';
import type {Workshop} from '../publish/publish.ts';

export interface ApiTools extends PromoteTools {
  readonly newId: () => string;
  readonly random: (bytes: number) => Buffer;
  /** Where releases are checked and taken in. */
  readonly workshop: Workshop;
}
