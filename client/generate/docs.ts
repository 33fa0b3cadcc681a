import { operations } from '../../lambdas/contract/api.ts';
import { gatewayAnswers, problemsOf, problemType, type OperationDefinition } from '@outbox-saga/kit/http/contract';
import { problems } from '../../lambdas/contract/problems.ts';

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [head, head.map(() => '---'), ...rows]
    .map((row) => `| ${row.map((cell) => cell.replaceAll('|', String.raw`\|`)).join(' | ')} |`)
    .join('\n');
}

const callers = (access: OperationDefinition['access']): string =>
  access === 'open' ? 'everyone' : access === 'operator' ? 'IAM' : `\`${access.scope}\`, or IAM`;

type Parts = Readonly<Record<string, () => string>>;

/** Name → the tables that docs/api.md shows between its marks. */
export const apiParts: Parts = {
  operations: () =>
    table(
      ['operation', 'does', 'who may', 'answers', 'problems'],
      Object.values<OperationDefinition>(operations).map((operation) => [
        `\`${operation.route}\``,
        operation.summary,
        callers(operation.access),
        Object.keys(operation.answers).join(', '),
        problemsOf(operation)
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
        .map((kind) => [String(kind.status), `\`${problemType(kind)}\``, kind.meaning]),
    ),
  gateway: () =>
    table(
      ['status', 'message', 'when'],
      Object.values(gatewayAnswers).map(({ status, message, when }) => [String(status), message, when]),
    ),
};

/**
 * A page with its generated parts made anew.
 *
 * @throws Error when the page has not exactly the marks of every part
 */
export function withParts(page: string, parts: Parts): string {
  let text = page;
  for (const [name, make] of Object.entries(parts)) {
    const [start, end] = [`<!-- generated: ${name} (npm run client) -->`, `<!-- end of ${name} -->`];
    const [from, to] = [text.indexOf(start), text.indexOf(end)];
    if (from < 0 || to < from) throw new Error(`the page lacks ${start} … ${end}`);
    text = `${text.slice(0, from)}${start}\n\n${make()}\n\n${text.slice(to)}`;
  }
  return text;
}
