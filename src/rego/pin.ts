/** The one version of the policy compiler: another one may give another bundle. The go.mod files under tools/ name the same. */
export const opaVersion = '1.19.1';

/** The rule that is asked for a decision. */
export const decisionRule = 'data.memgate.authz.decision';
