/** A path of the repository as a relative URI: spaces, `#`, `%` and all beyond ASCII are percent-encoded. */
export function repoUri(path: string): string {
  return path
    .toWellFormed()
    .split('/')
    .map((part) => encodeURIComponent(part))
    .join('/');
}
