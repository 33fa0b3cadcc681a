import { documentation, gatewayOccasions, problemMeanings } from '../../lambdas/contract/api/documentation.ts';
import { operations, problemsOf, type OperationName } from '../../lambdas/contract/api.ts';
import { gatewayAnswers, problemType, type Access } from '@outbox-saga/kit/http/contract';
import { problems } from '../../lambdas/contract/problems.ts';
import type { Parts } from '../../cli/generated-parts.ts';

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [head, head.map(() => '---'), ...rows]
    .map((row) => `| ${row.map((cell) => cell.replaceAll('|', String.raw`\|`)).join(' | ')} |`)
    .join('\n');
}

const callers = (access: Access): string =>
  access === 'open' ? 'everyone' : access === 'operator' ? 'IAM' : `\`${access.scope}\`, or IAM`;

/** Name → the tables that docs/api.md shows between its marks. */
export const apiParts: Parts = {
  operations: () =>
    table(
      ['operation', 'does', 'who may', 'answers', 'problems'],
      (Object.keys(documentation) as OperationName[]).map((name) => [
        `\`${operations[name].route}\``,
        documentation[name].summary,
        callers(operations[name].access),
        Object.keys(documentation[name].responses).join(', '),
        problemsOf(name)
          .toSorted((a, b) => a.status - b.status)
          .map(({ slug, status }) => `${status} ${slug}`)
          .join(', '),
      ]),
    ),
  problems: () =>
    table(
      ['status', 'type', 'meaning'],
      Object.values(problems)
        .toSorted((a, b) => a.status - b.status)
        .map((kind) => [String(kind.status), `\`${problemType(kind)}\``, problemMeanings[kind.slug]]),
    ),
  gateway: () =>
    table(
      ['status', 'message', 'when'],
      Object.entries(gatewayAnswers).map(([name, { status, message }]) => [
        String(status),
        message,
        gatewayOccasions[name as keyof typeof gatewayAnswers],
      ]),
    ),
};
