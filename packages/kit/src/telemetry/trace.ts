/**
 * The W3C traceparent of the running invocation, from the header that Lambda puts into its environment;
 * undefined where there is none.
 *
 * X-Ray: `Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1`
 */
export function currentTraceparent(header: string | undefined = process.env['_X_AMZN_TRACE_ID']): string | undefined {
  const root = header?.match(/Root=1-([0-9a-f]{8})-([0-9a-f]{24})/);
  const parent = header?.match(/Parent=([0-9a-f]{16})/);
  if (!root || !parent) return undefined;
  return `00-${root[1]}${root[2]}-${parent[1]}-${header?.includes('Sampled=1') ? '01' : '00'}`;
}
