export interface Origin {
  /** As it stands in the header of this name. */
  readonly authority: string;
  /** A name or an address, IPv6 without brackets. */
  readonly host: string;
  readonly port: number;
}

const defaultPort = 80;

/** @param text `http://HOST:PORT` */
export function originOf(text: string): Origin {
  const { host, hostname, port } = new URL(text);
  return {
    authority: host,
    host: hostname.replace(/^\[(.*)\]$/, '$1'),
    port: port === '' ? defaultPort : Number(port),
  };
}
