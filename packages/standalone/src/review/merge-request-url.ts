/** What the address of a merge request names, or why it cannot be used. */
export type MergeRequestUrl =
  | { readonly kind: 'merge-request'; readonly projectPath: string; readonly iid: number }
  | { readonly kind: 'refused'; readonly why: string; readonly hint: string };

/**
 * Reads the address that people open, below the GitLab whose token we have: that token must go nowhere else, whatever
 * address somebody was talked into.
 */
export function readMergeRequestUrl(text: string, gitLabUrl: string): MergeRequestUrl {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || !/^https?:$/.test(url.protocol)) {
    return refused(
      `${text} is no address of a merge request.`,
      'give it as https://gitlab.example.com/group/project/-/merge_requests/7.',
    );
  }
  if (/^\/[^/]+\/[^/]+\/pull\/\d+/.test(url.pathname)) {
    return refused(
      'Pull requests of GitHub are not supported yet.',
      'check the branch out and review it with --base, such as `drydock review --base origin/main`.',
    );
  }
  const root = new URL(gitLabUrl);
  const rootPath = root.pathname.replace(/\/+$/, '');
  if (url.origin !== root.origin || !url.pathname.startsWith(`${rootPath}/`)) {
    return refused(
      `${url.origin} is not the configured GitLab, ${gitLabUrl}.`,
      'set DRYDOCK_GITLAB_URL to the GitLab that DRYDOCK_GITLAB_TOKEN is for.',
    );
  }
  const match = /^\/(.+?)\/-\/merge_requests\/([1-9]\d{0,9})(?:\/|$)/.exec(url.pathname.slice(rootPath.length));
  const path = match?.[1] ?? '';
  if (match === null || !isProjectPath(path)) {
    return refused(
      `${text} is no address of a merge request.`,
      `they read ${gitLabUrl.replace(/\/+$/, '')}/group/project/-/merge_requests/7.`,
    );
  }
  return { kind: 'merge-request', projectPath: decodeURIComponent(path), iid: Number(match[2]) };
}

function isProjectPath(path: string): boolean {
  try {
    const parts = decodeURIComponent(path).split('/');
    return parts.length >= 2 && parts.every((part) => /^[\p{L}\p{N}_.-]+$/u.test(part) && !/^\.{1,2}$/.test(part));
  } catch {
    return false; // a broken escape
  }
}

function refused(why: string, hint: string): MergeRequestUrl {
  return { kind: 'refused', why, hint };
}
