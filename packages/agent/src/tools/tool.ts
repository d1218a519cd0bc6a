import { ToolError, type Clock, type Finding } from '@drydock/core';
import { z } from 'zod';
import type { ToolDescription } from '../loop/model.ts';
import type { ReviewSession } from '../review-session.ts';
import type { Workspace } from '../workspace/workspace.ts';

/** What a tool may touch: the repository, read only, and the review that grows. */
export interface ToolContext {
  readonly workspace: Workspace;
  readonly review: ReviewSession;
  readonly clock: Clock;
  /** Told of each finding that was recorded. */
  readonly onFinding: (finding: Finding) => void;
  /** Aborted when the call has taken too long or the run is over. */
  readonly signal: AbortSignal;
}

/** A capability of the model. */
export interface Tool {
  readonly description: ToolDescription;
  /** What a call is about, for people who watch. */
  target(input: unknown): string;
  /** Throws `ToolError` with a text for the model. */
  run(input: unknown, context: ToolContext): Promise<string>;
}

/** Makes a tool of a schema and a function. Input that does not fit is the model's mistake, and told to it. */
export function defineTool<Input extends z.ZodObject>(definition: {
  readonly name: string;
  readonly description: string;
  readonly input: Input;
  readonly target: (input: z.output<Input>) => string;
  readonly run: (input: z.output<Input>, context: ToolContext) => Promise<string>;
}): Tool {
  const { name, description, input: schema } = definition;
  return {
    description: { name, description, input_schema: inputSchema(schema) },
    target: (input) => {
      const parsed = schema.safeParse(input);
      return parsed.success ? definition.target(parsed.data) : '(bad input)';
    },
    run: async (input, context) => {
      const parsed = schema.safeParse(input);
      if (!parsed.success) throw new ToolError('tool.bad_input', describeIssues(parsed.error));
      return definition.run(parsed.data, context);
    },
  };
}

function inputSchema(schema: z.ZodObject): Readonly<Record<string, unknown>> {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io: 'input' });
  return rest;
}

const maxIssues = 5;

function describeIssues(error: z.ZodError): string {
  const lines = error.issues.slice(0, maxIssues).map((issue) => {
    const where = issue.path.map(String).join('.').slice(0, 100);
    return `- ${where === '' ? 'input' : where}: ${issue.message.slice(0, 200)}`;
  });
  return ['Not run, the input is wrong:', ...lines].join('\n');
}
