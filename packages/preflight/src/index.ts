import { fileURLToPath } from 'node:url';

export { exitCodes } from './exit-codes.ts';

/** The program of the init container, to be started with Node. */
export const preflightMainPath = fileURLToPath(new URL('main.ts', import.meta.url));
