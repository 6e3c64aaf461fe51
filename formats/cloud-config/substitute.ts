/**
 * `$public_ipv4` and the like in user data. Done on the text before it is read as YAML, as coreos-cloudinit did:
 * `"\$private_ipv4"` in quotes would be no valid YAML otherwise. It takes no line away, so lines stay right.
 */
export const ADDRESS_NAMES = ['public_ipv4', 'private_ipv4', 'public_ipv6', 'private_ipv6'] as const;
export type AddressName = (typeof ADDRESS_NAMES)[number];

/** Of this host; null for one that it has not. */
export type Addresses = Readonly<Record<AddressName, string | null>>;

export interface Substitution {
  readonly text: string;
  /** Variables without a value, which stay as they are. Those in lines of comment are not among them. */
  readonly missing: readonly {readonly name: AddressName; readonly line: number; readonly column: number}[];
}

const VARIABLE = /(\\)?\$((?:public|private)_ipv[46])/g;

/** A backslash before a variable is taken away and keeps it from being replaced. Other `$words` are left alone. */
export function substituteAddresses(text: string, addresses: Addresses): Substitution {
  const missing: {name: AddressName; line: number; column: number}[] = [];
  const lines = text.split('\n').map((line, index) =>
    line.replaceAll(VARIABLE, (whole, escape: string | undefined, name: AddressName, offset: number) => {
      if (escape !== undefined) return `$${name}`;
      const address = addresses[name];
      if (address !== null) return address;
      if (!/^\s*#/.test(line)) missing.push({name, line: index + 1, column: offset + 1});
      return whole;
    }),
  );
  return {text: lines.join('\n'), missing};
}

/** Whether a text has a variable that wants an address. */
export function wantsAddresses(text: string): boolean {
  return [...text.matchAll(VARIABLE)].some(([, escape]) => escape === undefined);
}
