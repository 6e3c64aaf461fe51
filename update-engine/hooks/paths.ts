/** A contract between the engine, hooks.mjs, the unit caisson-hooks@.service and the docs. */

/** What hooks.mjs can be asked to do, each an instance of the unit. */
export const HOOK_STAGES = ['pre-reboot', 'post-good'] as const;
export type HookStage = (typeof HOOK_STAGES)[number];
export type HookTask = HookStage | 'warn';

export const HOOK_PATHS = {
  /** Of the operator; a folder for each stage. */
  hooks: '/etc/caisson/hooks.d',
  /** Requests and results, `TASK.request.json` and `TASK.result.json`; root's alone. */
  exchange: '/run/caisson/hooks',
} as const;
/** The same places elsewhere, for tests. */
export type HookPaths = Readonly<Record<keyof typeof HOOK_PATHS, string>>;

export function hookUnit(task: HookTask): string {
  return `caisson-hooks@${task}.service`;
}
