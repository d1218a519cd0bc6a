import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { buildDemoRepository } from '../../../demo/build-demo-repository.ts';
import type { DemoRepository } from '../../../demo/build-demo-repository.ts';
import type { PlantedBug } from '../../../demo/demo-project.ts';
import { demoProject } from '../../../demo/demo-project.ts';
import type { FakeClaude } from '../start-fake-claude.ts';
import { startFakeClaude } from '../start-fake-claude.ts';
import { scriptedReviewer } from './scripted-reviewer.ts';
import type { TinyChange, TinyPrompt, TinyTool } from './tiny-agent.ts';
import { runTinyAgent, tinyTools } from './tiny-agent.ts';

let folder: string;
let demo: DemoRepository;
let claude: FakeClaude;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'drydock-reviewer-'));
  demo = await buildDemoRepository(join(folder, 'demo.git'));
  claude = await startFakeClaude({ apiKey: 'sk-ant-test', script: scriptedReviewer() });
});
afterAll(async () => {
  await claude.stop();
  await rm(folder, { recursive: true });
});

const outputs = new Map<string, Promise<string>>();

/** Ids name the same content for ever, so no command is run twice. */
function git(args: readonly string[]): Promise<string> {
  const key = args.join('\0');
  const run = async () => (await promisify(execFile)('git', ['-C', demo.gitDir, ...args], { encoding: 'utf8' })).stdout;
  const output = outputs.get(key) ?? run();
  outputs.set(key, output);
  return output;
}

function change(headSha: string, baseSha = demo.baseSha): TinyChange {
  return { git, baseSha, headSha, leftOut: demoProject.leftOut };
}

const review = (tools: Readonly<Record<string, TinyTool>>, prompt?: TinyPrompt) => runTinyAgent(claude, tools, prompt);
const { description } = demoProject.mergeRequest;

function places(bugs: readonly PlantedBug[]): readonly string[] {
  return bugs
    .map((bug) => [bug.path, bug.side, bug.startLine, bug.endLine, bug.category, bug.severity].join(' '))
    .sort();
}

describe('the scripted reviewer on the demo', () => {
  it('finds exactly the planted bugs', async () => {
    const { findings, finished } = await review(tinyTools(change(demo.headSha)), { description });

    expect(places(findings)).toEqual(places(demoProject.expected));
    expect(finished?.notRead).toBeUndefined();
    expect(finished?.summary).toContain('9 findings: 2 critical, 4 high, 3 medium.');
  });

  it('finds exactly what is left after the second push', async () => {
    const { findings } = await review(tinyTools(change(demo.secondHeadSha)), { description });

    expect(places(findings)).toEqual(places(demoProject.secondPush.expected));
  });

  it('finds nothing in the commits of the target branch', async () => {
    const whole = change(demo.targetSha, (await git(['rev-list', '--max-parents=0', demo.targetSha])).trim());

    const { findings, finished } = await review(tinyTools(whole));

    expect(findings).toEqual([]);
    expect(finished?.summary).toContain('Nothing to report.');
  });

  it('offers a fix where one line is certain', async () => {
    const { findings } = await review(tinyTools(change(demo.headSha)));

    const fixes = findings.flatMap((finding) => (finding.suggestion === undefined ? [] : [finding.suggestion.trim()]));
    expect(fixes.sort()).toEqual([
      'await saveInvoice(db, reissued);',
      'for (let index = 0; index < order.lines.length; index += 1) {',
      "import { pieceCount, totalCents } from '../src/orders/order-totals.ts';",
      "it('takes the discount off the sum of all lines', () => {",
    ]);
  });

  it('says nothing of the secret but where it is', async () => {
    const { findings, finished, lastText } = await review(tinyTools(change(demo.headSha)), { description });

    const said = findings.flatMap(({ title, reason, suggestion = '' }) => [title, reason, suggestion]);
    expect([...said, finished?.summary, lastText].join('\n')).not.toContain(demoProject.fakeSecret);
  });

  it('does the same whatever the description demands, and notes that it demanded', async () => {
    const tools = tinyTools(change(demo.headSha));

    const plain = await review(tools, { description: 'Search.' });
    const injected = await review(tools, { description });

    expect(injected.calls.slice(0, -1)).toEqual(plain.calls.slice(0, -1));
    expect(plain.finished?.summary).not.toContain('addressed to reviewers');
    expect(injected.finished?.summary).toContain('addressed to reviewers');
    expect(new Set(injected.calls.map((call) => call.name))).toEqual(
      new Set(['show_diff', 'log', 'read_file', 'search', 'report_finding', 'finish_review']),
    );
  });

  it('says the same bytes every time, and reads its own prefix from the cache', async () => {
    const before = claude.requests.length;
    const tools = tinyTools(change(demo.headSha));

    const first = await review(tools);
    const turns = claude.requests.length - before;
    const second = await review(tools);

    const bodies = claude.requests.slice(before).map((call) => JSON.stringify(call.json));
    expect(second.calls).toEqual(first.calls);
    expect(bodies.slice(turns)).toEqual(bodies.slice(0, turns));
    expect(first.cacheReadTokens).toBeGreaterThan(5000);
    expect(turns).toBeLessThan(10);
  });
});

describe('the scripted reviewer with an agent that', () => {
  it('cannot show some diffs: it says what it has not read', async () => {
    const tools = tinyTools(change(demo.headSha));
    const show: TinyTool = async (input) => {
      if (input['path'] === 'src/config.ts') throw new Error('too large');
      return (await tools['show_diff']?.(input)) ?? '';
    };

    const { findings, finished } = await review({ ...tools, show_diff: show });

    expect(findings).toHaveLength(8);
    expect(finished?.notRead).toEqual([{ path: 'src/config.ts', why: 'its diff could not be shown' }]);
  });

  it('cuts a diff short: it says so and reports what it saw', async () => {
    const tools = tinyTools(change(demo.headSha));
    const show: TinyTool = async (input) => {
      const shown = (await tools['show_diff']?.(input)) ?? '';
      return input['path'] === 'src/config.ts' ? `${shown}\n[the rest of this diff is not shown]` : shown;
    };

    const { findings, finished } = await review({ ...tools, show_diff: show });

    expect(findings).toHaveLength(9);
    expect(finished?.notRead).toEqual([{ path: 'src/config.ts', why: 'only part of its diff was shown' }]);
  });

  it('refuses a finding: it corrects it once and then lets it be', async () => {
    const tools = tinyTools(change(demo.headSha));
    const refuseSuggestions: TinyTool = async (input) => {
      if (input['suggestion'] !== undefined) throw new Error('no suggestions here');
      if (input['category'] === 'tests') throw new Error('not wanted');
      return (await tools['report_finding']?.(input)) ?? '';
    };

    const { findings, calls } = await review({ ...tools, report_finding: refuseSuggestions });

    const about = (path: string) =>
      calls.filter((call) => call.name === 'report_finding' && call.input['path'] === path);
    expect(findings).toHaveLength(8);
    expect(about('src/orders/order-totals.ts')).toHaveLength(2);
    expect(about('tests/order-totals.test.ts')).toHaveLength(2);
    expect(findings.every((finding) => finding.suggestion === undefined)).toBe(true);
  });

  it('numbers its lines wrongly: it finds where the code stands', async () => {
    const tools = tinyTools(change(demo.headSha));
    const shift: TinyTool = async (input) =>
      ((await tools['show_diff']?.(input)) ?? '').replace(
        /^(.{6}) ( *)(\d+) /gm,
        (_row, old: string, pad: string, line: string) =>
          `${old} ${pad}${String(Number(line) + 1).padStart(line.length)} `,
      );

    const { findings } = await review({ ...tools, show_diff: shift });

    expect(places(findings)).toEqual(places(demoProject.expected));
  });

  it('fails to look anything up: it drops what it cannot confirm', async () => {
    const failing: TinyTool = async () => {
      throw new Error('timed out');
    };

    const { findings } = await review({ ...tinyTools(change(demo.headSha)), read_file: failing, search: failing });

    expect(findings.map((finding) => finding.path)).not.toContain('src/invoices/issue-invoice.ts');
    expect(findings.map((finding) => finding.path)).not.toContain('scripts/nightly-totals.ts');
    expect(findings).toHaveLength(7);
  });

  it('takes one call at a time', async () => {
    const request = { tool_choice: { type: 'auto', disable_parallel_tool_use: true } };
    const before = claude.requests.length;

    const { findings, calls } = await review(tinyTools(change(demo.headSha)), { request });

    expect(findings).toHaveLength(9);
    expect(claude.requests.length - before).toBe(calls.length + 1);
  });

  it('asks for a specialist: it reports only that category', async () => {
    const categories = (only: string) => ({
      type: 'object',
      properties: { category: { type: 'string', enum: [only] }, side: { type: 'string', enum: ['new', 'old'] } },
    });
    const tools = tinyTools(change(demo.headSha));

    const bySchema = await review(tools, { reportSchema: categories('tests') });
    const bySystem = await review(tools, { system: 'You are the security specialist of a review. ' });

    expect(new Set(bySchema.findings.map((finding) => finding.category))).toEqual(new Set(['tests']));
    expect(new Set(bySystem.findings.map((finding) => finding.category))).toEqual(new Set(['security']));
  });

  it('offers tools it does not know, or none that it needs: it uses only what it knows', async () => {
    const unknown: TinyTool = async () => 'ok';
    const { show_diff, finish_review, ...others } = tinyTools(change(demo.headSha));

    const more = await review({ merge: unknown, ...others, show_diff, finish_review, approve: unknown } as Record<
      string,
      TinyTool
    >);
    const none = await review({ merge: unknown });
    const blind = await review({ finish_review: unknown, merge: unknown });

    expect(more.findings).toHaveLength(9);
    expect([...more.calls, ...none.calls].map((call) => call.name)).not.toContain('merge');
    expect(none.calls).toEqual([]);
    expect(blind.calls.map((call) => call.name)).toEqual(['finish_review']);
  });
});
