import { TerminalError, ToolError, TransientError, type Clock, type Log, type ProgressEvent } from '@drydock/core';
import type { ToolAnswer } from '../loop/agent-loop.ts';
import type { ToolCall } from '../loop/model.ts';
import type { Tool, ToolContext } from './tool.ts';
import { visibleLine } from './visible-text.ts';

/** What running tools needs. */
export interface ToolRunnerParts {
  readonly tools: readonly Tool[];
  readonly context: Omit<ToolContext, 'signal'>;
  readonly onProgress: (event: ProgressEvent) => void;
  readonly log: Log;
  readonly clock: Clock;
}

const maxCallMs = 60_000;
const maxAnswerChars = 400_000;
const maxTargetChars = 300;

/**
 * Runs one call and words what came of it for the model. Unknown tools, wrong input and things that are not there are
 * answers; only the end of the run, and bugs, are thrown.
 */
export async function runTool(call: ToolCall, parts: ToolRunnerParts, signal: AbortSignal): Promise<ToolAnswer> {
  const { clock } = parts;
  const startMs = clock.monotonicMs();
  const tool = parts.tools.find((known) => known.description.name === call.name);
  const answer = await answerOf(tool, call, parts, signal);
  parts.onProgress({
    kind: 'tool',
    tool: visibleLine(call.name).slice(0, 64),
    target: visibleLine(tool?.target(call.input) ?? '').slice(0, maxTargetChars),
    isError: answer.isError,
    durationMs: clock.monotonicMs() - startMs,
  });
  return answer;
}

async function answerOf(
  tool: Tool | undefined,
  call: ToolCall,
  parts: ToolRunnerParts,
  signal: AbortSignal,
): Promise<ToolAnswer> {
  if (tool === undefined) return { text: 'Not run: there is no tool of that name.', isError: true };
  if (call.input === null) return { text: 'Not run: the input is no JSON object.', isError: true };
  const limit = new TimeLimit(parts.clock, signal);
  try {
    const text = await tool.run(call.input, { ...parts.context, signal: limit.signal });
    return { text: text.slice(0, maxAnswerChars), isError: false };
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof ToolError) return { text: error.message, isError: true };
    if (limit.signal.aborted) return { text: 'Ended: the call took too long. Ask for less.', isError: true };
    if (!(error instanceof TransientError || error instanceof TerminalError)) throw error;
    parts.log.warn({ code: error.code, err: error }, 'a tool could not be served');
    return { text: 'Not possible: the repository could not be read this far.', isError: true };
  } finally {
    limit.end();
  }
}

/** Aborts its signal when the time is over, or with the run. */
class TimeLimit {
  readonly signal: AbortSignal;
  readonly #over = new AbortController();

  constructor(clock: Clock, run: AbortSignal) {
    const late = new AbortController();
    this.signal = AbortSignal.any([run, late.signal]);
    void clock.sleep(maxCallMs, this.#over.signal).then(() => {
      if (!this.#over.signal.aborted) late.abort();
    });
  }

  end(): void {
    this.#over.abort();
  }
}
