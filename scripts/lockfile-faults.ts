import { z } from 'zod';

const Lockfile = z.object({
  packages: z.record(
    z.string(),
    z.object({
      resolved: z.string().optional(),
      optionalDependencies: z.record(z.string(), z.string()).optional(),
    }),
  ),
});

/**
 * What would make package-lock.json fail for somebody else, one line each:
 * an address ties every user to the registry of whoever wrote it last, whatever their own npm settings say
 * (`.npmrc` leaves addresses out); a package for another platform that is not locked makes npm 11 refuse the whole.
 */
export function lockfileFaults(lockfileJson: string): string[] {
  const { packages } = Lockfile.parse(JSON.parse(lockfileJson));
  return Object.entries(packages).flatMap(([path, { resolved, optionalDependencies }]) => {
    const address = resolved?.includes('://') ? [`${path} has a download address: ${resolved}`] : [];
    const unlocked = Object.keys(optionalDependencies ?? {})
      .filter((name) => !(`node_modules/${name}` in packages) && !(`${path}/node_modules/${name}` in packages))
      .map((name) => `${name}, an optional dependency of ${path}, is not locked`);
    return [...address, ...unlocked];
  });
}
