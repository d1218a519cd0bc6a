import type { Forge } from './forge.ts';
import { GitLabForge, type GitLabForgeSettings } from './gitlab-forge.ts';

/** A configured forge. `kind` says what software it runs. */
export type ForgeSettings = GitLabForgeSettings & { readonly kind: 'gitlab' };

/** The forge of these settings. Throws a `ConfigError` for settings that cannot be right. */
export function createForge(settings: ForgeSettings): Forge {
  return new GitLabForge(settings);
}
