import { hostname } from 'node:os';
import { repoUri } from './repo-uri.ts';

const open = '\u001b]8;;';
const end = '\u001b\\';

/** A text that opens an address on terminals that know OSC 8. Without an address that is safe to send, the text alone. */
export function hyperlink(text: string, address: string | null): string {
  return address === null || !/^[!-~]+$/.test(address) ? text : `${open}${address}${end}${text}${open}${end}`;
}

/** The host is named because the terminal may show what runs on another one. */
export function fileAddress(rootDir: string, path: string, host: string = hostname()): string {
  return `file://${encodeURIComponent(host)}/${repoUri(`${rootDir}/${path}`.replace(/\\/g, '/').replace(/^\/+/, ''))}`;
}

/** Null for what is no address of the web. */
export function webAddress(url: string | null): string | null {
  if (url === null || !URL.canParse(url)) return null;
  const parsed = new URL(url);
  return parsed.protocol === 'https:' || parsed.protocol === 'http:' ? parsed.href : null;
}
