import { fileURLToPath } from 'node:url';

export { exitCodes } from './exit-codes.ts';

/** The program to start as an agent, with Node and in its own folder. */
export const agentMainPath = fileURLToPath(new URL('main.ts', import.meta.url));
