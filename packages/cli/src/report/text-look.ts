import type picocolors from 'picocolors';

/** What paints a text, or leaves it as it is. */
export type Colours = ReturnType<typeof picocolors.createColors>;

/** How text may look where it is shown. */
export interface TextLook {
  readonly isColoured: boolean;
  /** Whether the place shows hyperlinks (OSC 8). */
  readonly hasLinks: boolean;
  /** Columns; null: no terminal, so that code is not cut. */
  readonly width: number | null;
}

/** A place where text is shown. */
export interface TextPlace {
  /** Undefined, as Node has it of a pipe: no. */
  readonly isTerminal: boolean | undefined;
  /** Undefined where nobody knows. */
  readonly columns: number | undefined;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** Text without any looks, as for a file. */
export const plainLook: TextLook = { isColoured: false, hasLinks: false, width: null };

const minWidth = 40;
const defaultWidth = 80;

/** By https://no-color.org, FORCE_COLOR, and what is known of terminals. */
export function lookOf({ isTerminal, columns, environment }: TextPlace): TextLook {
  const width = isTerminal === true ? Math.max(minWidth, columns ?? defaultWidth) : null;
  return {
    isColoured: hasColours(isTerminal === true, environment),
    hasLinks: isTerminal === true && hasLinks(environment),
    width,
  };
}

function hasColours(isTerminal: boolean, environment: TextPlace['environment']): boolean {
  if (isSet(environment['NO_COLOR'])) return false;
  const forced = environment['FORCE_COLOR'];
  if (forced !== undefined) return forced !== '0' && forced !== 'false';
  return isTerminal && environment['TERM'] !== 'dumb';
}

/** Others show the sequence as rubbish, so that only those count that say who they are. */
function hasLinks(environment: TextPlace['environment']): boolean {
  const { FORCE_HYPERLINK, TERM, TERM_PROGRAM, VTE_VERSION, TMUX, STY, CI } = environment;
  if (FORCE_HYPERLINK !== undefined) return FORCE_HYPERLINK !== '0' && FORCE_HYPERLINK !== '';
  if (TERM === 'dumb' || isSet(CI) || isSet(TMUX) || isSet(STY)) return false;
  if (isSet(environment['WT_SESSION']) || isSet(environment['KONSOLE_VERSION'])) return true;
  if (VTE_VERSION !== undefined && Number(VTE_VERSION) >= 5000) return true;
  if (/^(?:xterm-kitty|xterm-ghostty|alacritty|foot)/.test(TERM ?? '')) return true;
  return ['iTerm.app', 'WezTerm', 'vscode', 'ghostty', 'Hyper', 'zed', 'WarpTerminal'].includes(TERM_PROGRAM ?? '');
}

function isSet(value: string | undefined): boolean {
  return value !== undefined && value !== '';
}
