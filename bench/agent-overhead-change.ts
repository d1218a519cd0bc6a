/** The merge request of `agent.overhead`: ten files of a repository of some hundred, with some history. */
import {
  aGitRepository,
  reply,
  toolUse,
  type ClaudeScript,
  type FakeGitLab,
  type GitLabProject,
} from '@drydock/testkit';

/** A merge request of the fake GitLab, and the model that reviews it. */
export interface PreparedChange {
  readonly project: GitLabProject;
  readonly iid: number;
  readonly refs: { readonly baseSha: string; readonly startSha: string; readonly headSha: string };
  readonly model: ClaudeScript;
}

const areas = ['auth', 'catalog', 'customers', 'invoices', 'orders', 'payments', 'reports', 'shipping'];
const modulesPerArea = 40;
const functionsPerModule = 8;
const commits = 150;

/** How often each function of a module was changed. */
type Module = readonly number[];

function moduleText(path: string, module: Module): string {
  const name = path.replace(/\W+/g, '_');
  const functions = module.map((changes, index) => {
    const checks = Array.from({ length: changes % 4 }, (_, check) => {
      return `  if (entries.length > ${(check + 1) * 1000 + changes}) throw new RangeError('too many entries: ${check}');`;
    });
    return [
      `/** Adds up the entries of kind ${index} that were booked until a day, in cents. */`,
      `export function ${name}_${index}(entries: readonly Entry[], untilDay: number): number {`,
      ...checks,
      `  let sum = ${changes};`,
      '  for (const entry of entries) {',
      `    if (entry.kind !== ${index} || entry.day > untilDay) continue;`,
      '    const amount = entry.isRefund ? -entry.amount : entry.amount;',
      '    sum += roundToCents(amount * entry.rate);',
      '  }',
      '  return sum;',
      '}',
      '',
    ].join('\n');
  });
  const imports = `import { roundToCents } from '../money/round-to-cents.ts';\nimport type { Entry } from '../entry.ts';\n`;
  return `${imports}\n${functions.join('\n')}`;
}

function withChange(module: Module, at: number): Module {
  return module.map((changes, index) => (index === at % functionsPerModule ? changes + 1 : changes));
}

/** Makes project, history and merge request. */
export async function prepareChange(gitlab: FakeGitLab): Promise<PreparedChange> {
  await using repository = await aGitRepository();
  const modules = new Map<string, Module>();
  for (const area of areas) {
    for (let at = 0; at < modulesPerArea; at += 1) {
      modules.set(`src/${area}/${area}-${at}.ts`, Array<number>(functionsPerModule).fill(at % 3));
    }
  }
  const paths = [...modules.keys()];
  const edit = (index: number, at: number) => {
    const path = paths[index % paths.length] ?? '';
    const module = withChange(modules.get(path) ?? [], at);
    modules.set(path, module);
    return [path, moduleText(path, module)] as const;
  };
  const first = {
    ...Object.fromEntries(Array.from(modules, ([path, module]) => [path, moduleText(path, module)])),
    'README.md': '# Books\n\nKeeps the books of a shop.\n',
    'AGENTS.md': '# For who works here\n\n- Amounts are in cents.\n- Every function has a test.\n',
    '.gitattributes': '*.lock linguist-generated\n',
    'src/money/round-to-cents.ts': 'export const roundToCents = (amount: number): number => Math.round(amount);\n',
  };
  const history = Array.from({ length: commits }, (_, commit) => ({
    message: `Change ${commit}`,
    changes: [0, 1, 2].map((part) => edit(commit * 7 + part * 101, commit + part)),
  }));
  await repository.commitAll([{ changes: first, message: 'Begin' }, ...history]);
  const project = await gitlab.createProject({
    path: 'books/ledger',
    visibility: 'public',
    fromDir: repository.gitDir,
  });

  const edited = Array.from({ length: 8 }, (_, part) => edit(part * 37, part));
  const [renamedFrom, renamedText] = edit(309, 3);
  const renamedTo = renamedFrom.replace('.ts', '-entries.ts');
  const added = ['src/reports/yearly.ts', moduleText('src/reports/yearly.ts', [1, 2, 3, 2])] as const;
  const changed = new Map([...edited, [renamedTo, renamedText], added]);
  await gitlab.push(project, 'feature', { ...Object.fromEntries(changed), [renamedFrom]: null }, { from: 'main' });
  const author = gitlab.createUser({ username: 'ada' });
  const { iid } = await gitlab.openMergeRequest({
    project,
    sourceBranch: 'feature',
    title: 'Book refunds',
    author,
  });
  const { base_sha: baseSha, start_sha: startSha, head_sha: headSha } = gitlab.diffRefs(iid);
  return { project, iid, refs: { baseSha, startSha, headSha }, model: aReviewer(changed) };
}

/** Five turns: the overview, all diffs at once, a look around, three findings, the end. */
function aReviewer(changed: ReadonlyMap<string, string>): ClaudeScript {
  const claims = [...changed].slice(0, 3).map(([path, text]) => {
    const lines = text.split('\n');
    const at = lines.findIndex((line) => line.includes('let sum'));
    return toolUse('report_finding', {
      path,
      side: 'new',
      startLine: at + 1,
      endLine: at + 1,
      severity: 'medium',
      category: 'correctness',
      confidence: 0.8,
      title: 'The sum does not begin at nothing',
      quotedCode: lines[at] ?? '',
      reason: 'Entries are added to a number that no entry has brought in, so every sum is off by it.',
    });
  });
  const turns = [
    [toolUse('show_diff', {}), toolUse('log', { limit: 10 })],
    [...changed.keys()].map((path) => toolUse('show_diff', { path })),
    [
      toolUse('search', { pattern: 'roundToCents\\(amount' }),
      toolUse('read_file', { path: 'src/money/round-to-cents.ts' }),
    ],
    claims,
    [toolUse('finish_review', { summary: 'Sums begin at a number that nobody booked.' })],
  ];
  return (_request, { turn }) => {
    const blocks = turns[turn - 1];
    if (blocks === undefined) throw new Error(`the review of the benchmark has no turn ${turn}`);
    return reply.blocks(blocks);
  };
}
