/** The file in which Ignition leaves which units are to be enabled and disabled: lines of systemd.preset(5). */

export interface UnitChoice {
  readonly verb: 'enable' | 'disable';
  readonly unit: string;
}

/** `enable echo@.service a b` stands for echo@a.service and echo@b.service. Comments and other lines are passed over. */
export function unitChoices(text: string): UnitChoice[] {
  return text.split('\n').flatMap((line): UnitChoice[] => {
    const [verb, unit, ...instances] = line.trim().split(/\s+/);
    if ((verb !== 'enable' && verb !== 'disable') || unit === undefined) return [];
    if (instances.length === 0) return [{verb, unit}];
    return instances.map((instance) => ({verb, unit: unit.replace('@', `@${instance}`)}));
  });
}
