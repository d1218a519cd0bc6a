import { z } from 'zod';
import { kubectl } from './kubectl.ts';

const Rule = z.object({
  verbs: z.array(z.string()),
  apiGroups: z.array(z.string()).default([]),
  resources: z.array(z.string()).default([]),
  resourceNames: z.array(z.string()).default([]),
  nonResourceURLs: z.array(z.string()).default([]),
});
const Rules = z.object({
  status: z.object({ resourceRules: z.array(Rule), nonResourceRules: z.array(Rule) }),
});

/**
 * What the API server lets a ServiceAccount do in a namespace, as sorted lines `verb group/resource`; what it may do in
 * no namespace or in all of them is told for each. RBAC answers this question whole.
 */
export async function rightsOf(
  kubeconfig: string,
  account: { readonly namespace: string; readonly name: string },
  namespace: string,
): Promise<readonly string[]> {
  const groups = ['system:serviceaccounts', `system:serviceaccounts:${account.namespace}`, 'system:authenticated'];
  const { stdout } = await kubectl(
    kubeconfig,
    [
      ...['create', '--raw', '/apis/authorization.k8s.io/v1/selfsubjectrulesreviews', '-f', '-'],
      `--as=system:serviceaccount:${account.namespace}:${account.name}`,
      ...groups.map((group) => `--as-group=${group}`),
    ],
    JSON.stringify({
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SelfSubjectRulesReview',
      spec: { namespace },
    }),
  );
  const { status } = Rules.parse(JSON.parse(stdout));
  const lines = [...status.resourceRules, ...status.nonResourceRules].flatMap((rule) => {
    const what = [
      ...rule.nonResourceURLs,
      ...rule.apiGroups.flatMap((group) =>
        rule.resources.map((resource) => (group === '' ? resource : `${group}/${resource}`)),
      ),
    ];
    const named = rule.resourceNames.length === 0 ? '' : ` named ${rule.resourceNames.join(' ')}`;
    return rule.verbs.flatMap((verb) => what.map((object) => `${verb} ${object}${named}`));
  });
  return [...new Set(lines)].sort();
}
