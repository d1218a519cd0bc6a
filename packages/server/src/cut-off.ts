import type { IncomingMessage, ServerResponse } from 'node:http';

const lingerMs = 200;

/** The rest of the body is not wanted. A moment's grace lets the sender read the answer before the connection breaks. */
export function cutOff(request: IncomingMessage, response: ServerResponse, answer?: Buffer): void {
  response.end(answer, () => {
    request.resume();
    setTimeout(() => request.destroy(), lingerMs).unref();
  });
}
