/**
 * One condition of a reboot. All of them must be open at once; one that cannot be evaluated is closed, and says so.
 */
export const GATE_NAMES = ['strategy', 'window', 'inhibitors', 'lock', 'offer', 'sessions', 'hooks'] as const;
export type GateName = (typeof GATE_NAMES)[number];

export interface GateAnswer {
  /** `unknown`: could not be evaluated, and counts as closed. */
  readonly kind: 'open' | 'closed' | 'unknown';
  /** For people: a sentence without its end, such as "the window opens Mon 02:00 (Europe/Berlin)". */
  readonly detail: string;
  /** When it is worth asking again, at the latest; null with an open gate. Milliseconds from now. */
  readonly againMs: number | null;
}

/** What is about to happen; also what hooks and warnings are told. */
export interface RebootPlan {
  readonly kind: 'update' | 'rollback' | 'requested' | 'image';
  /** The release that the machine restarts into. */
  readonly version: string;
  readonly previousVersion: string;
}

export interface Gate {
  readonly name: GateName;
  /** Never throws but for its signal. */
  ask(plan: RebootPlan, signal: AbortSignal): Promise<GateAnswer>;
}
