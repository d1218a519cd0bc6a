/**
 * SARIF 2.1.0, as GitHub's code scanning reads it.
 *
 * - Every result has a physical location, or GitHub refuses the whole file. What is about removed lines, or about a file
 *   that has no lines, is located at its file without a region (shown at line 1); its lines are told in the message.
 * - GitHub tells alerts apart by `primaryLocationLineHash` alone. Its upload action computes that from the checked out
 *   file, where there is a region, and warns of any other value: so there we give none. Where there is no region nothing
 *   is computed, and two findings about one file would be one alert: there it is the finding's own identity.
 * - `drydockIdentity/v1` is the same for the same finding in every review, for readers other than GitHub.
 * - Messages are not formatted with arguments, so braces stand as they are. `](` would be a link and is parted.
 *
 * @see https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
 */
import {
  neutraliseLine,
  neutraliseText,
  showHiddenCharacters,
  type ReportedFinding,
  type ReviewReport,
} from '@drydock/core';
import { jsonText } from './json-text.ts';
import { repoUri } from './repo-uri.ts';
import { isAboutRemovedLines, outcomeOf } from './report-words.ts';
import { levelOf, ruleIdOf, sarifRules } from './sarif-rules.ts';

/** What the report itself does not know. */
export interface SarifOptions {
  /** Of Drydock. */
  readonly toolVersion: string;
  /** Where the repository can be cloned from, without credentials; null: not known, or nobody's business. */
  readonly repositoryUrl: string | null;
}

/** A log with one run. */
export function renderSarif(report: ReviewReport, options: SarifOptions): string {
  const rules = sarifRules(report.findings);
  const indexes = new Map(rules.map((rule, index) => [rule.id, index]));
  return jsonText({
    $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
    version: '2.1.0',
    runs: [
      {
        tool: { driver: driver(options.toolVersion, rules) },
        automationDetails: { id: `drydock/${report.change.diffRefs.headSha}` },
        invocations: [invocation(report)],
        ...provenance(report, options.repositoryUrl),
        columnKind: 'utf16CodeUnits',
        results: report.findings.map((finding) => result(finding, indexes)),
        properties: runProperties(report),
      },
    ],
  });
}

function driver(version: string, rules: readonly unknown[]) {
  // A version that GitHub cannot order is worse than none.
  const semantic = /^\d+\.\d+\.\d+(?:[-+][\w.+-]+)?$/.test(version) ? { semanticVersion: version } : {};
  return { name: 'Drydock', organization: 'Drydock', version, ...semantic, rules };
}

function invocation(report: ReviewReport) {
  const { partial, notRead } = report;
  const ended =
    partial === null
      ? []
      : [
          {
            level: 'error',
            descriptor: { id: 'drydock/partial' },
            message: { text: plain(`The review is partial: ${partial.why}`) },
            properties: { code: partial.code },
          },
        ];
  const unread = notRead.map(({ path, why }) => ({
    level: 'note',
    descriptor: { id: 'drydock/not-read' },
    message: { text: plain(`Not read: ${why}`) },
    locations: [{ physicalLocation: { artifactLocation: { uri: repoUri(path) } } }],
  }));
  return { executionSuccessful: partial === null, toolExecutionNotifications: [...ended, ...unread] };
}

function provenance({ change }: ReviewReport, repositoryUrl: string | null) {
  const repositoryUri = webAddress(repositoryUrl) ?? projectAddress(change.webUrl);
  if (repositoryUri === null) return {};
  const branch = change.sourceBranch === '' ? {} : { branch: showHiddenCharacters(change.sourceBranch) };
  return { versionControlProvenance: [{ repositoryUri, revisionId: change.diffRefs.headSha, ...branch }] };
}

/** The project that a merge request's address is of, on either forge. */
function projectAddress(webUrl: string | null): string | null {
  return webAddress(webUrl)?.replace(/\/(?:-\/merge_requests|merge_requests|pull)\/\d+.*$/, '') ?? null;
}

function webAddress(url: string | null): string | null {
  if (url === null || !URL.canParse(url)) return null;
  const parsed = new URL(url);
  if (!['http:', 'https:', 'ssh:', 'git:'].includes(parsed.protocol) || parsed.host === '') return null;
  // A browser's address may have what a URI may not.
  const path = parsed.pathname
    .replace(/%(?![0-9a-f]{2})/gi, '%25')
    .replace(/[^\w.~:/@!$&'()*+,;=%-]/gu, (character) => encodeURIComponent(character));
  return `${parsed.protocol}//${parsed.host}${path}`;
}

function result(finding: ReportedFinding, ruleIndexes: ReadonlyMap<string, number>) {
  const { path, identity, severity, category, side, startLine, endLine, confidence, placement, isNew } = finding;
  const ruleId = ruleIdOf(finding);
  const hasRegion = side === 'new' && finding.code.lines.length > 0;
  const artifactLocation = { uri: repoUri(path) };
  return {
    ruleId,
    ruleIndex: ruleIndexes.get(ruleId) ?? -1,
    level: levelOf[severity],
    message: messageOf(finding),
    locations: [{ physicalLocation: { artifactLocation, ...(hasRegion ? regions(finding) : {}) } }],
    partialFingerprints: {
      ...(hasRegion ? {} : { primaryLocationLineHash: identity }),
      'drydockIdentity/v1': identity,
    },
    ...(hasRegion && finding.suggestion !== null ? { fixes: [fix(finding, finding.suggestion)] } : {}),
    properties: { severity, category, confidence, side, startLine, endLine, placement, isNew },
  };
}

function messageOf(finding: ReportedFinding) {
  const { title, reason, startLine, endLine } = finding;
  const lines = endLine > startLine ? `lines ${startLine}-${endLine}` : `line ${startLine}`;
  const removed = isAboutRemovedLines(finding) ? `About ${lines} before the change.` : '';
  const text = [plain(title.replace(/\s+/g, ' ')), removed, plain(reason)];
  const markdown = [`**${neutraliseLine(title)}**`, removed, neutraliseText(reason)];
  return { text: joined(text, '(no text)'), markdown: joined(markdown, '(no text)') };
}

/** GitHub refuses empty texts. */
function joined(parts: readonly string[], otherwise: string): string {
  const text = parts.filter((part) => part.trim() !== '').join('\n\n');
  return text === '' ? otherwise : text;
}

function regions({ startLine, endLine, code }: ReportedFinding) {
  const from = startLine - code.startLine;
  const own = code.lines.slice(Math.max(0, from), from + endLine - startLine + 1);
  const snippet = (lines: readonly string[]) => ({ snippet: { text: lines.map(showHiddenCharacters).join('\n') } });
  return {
    region: { startLine, endLine: Math.max(startLine, endLine), startColumn: 1, ...snippet(own) },
    contextRegion: {
      startLine: Math.min(code.startLine, startLine),
      endLine: Math.max(code.startLine + code.lines.length - 1, startLine, endLine),
      ...snippet(code.lines),
    },
  };
}

/** A region without an end column ends before the line feed; to delete lines, it must go with them. */
function fix({ path, startLine, endLine }: ReportedFinding, suggestion: readonly string[]) {
  const replacement =
    suggestion.length === 0
      ? { deletedRegion: { startLine, startColumn: 1, endLine: endLine + 1, endColumn: 1 } }
      : { deletedRegion: { startLine, startColumn: 1, endLine }, insertedContent: { text: suggestion.join('\n') } };
  return {
    description: { text: suggestion.length === 0 ? 'Delete these lines' : 'Replace these lines' },
    artifactChanges: [{ artifactLocation: { uri: repoUri(path) }, replacements: [replacement] }],
  };
}

function runProperties(report: ReviewReport) {
  const { model, verdict, failOn, heldBack, changedFiles, turns, usage, change } = report;
  return {
    outcome: outcomeOf(report),
    overview: plain(report.overview),
    model: plain(model),
    verdict,
    failOn,
    heldBack,
    changedFiles,
    turns,
    usage,
    diffRefs: change.diffRefs,
  };
}

function plain(text: string): string {
  return showHiddenCharacters(text).replaceAll('](', '] (');
}
