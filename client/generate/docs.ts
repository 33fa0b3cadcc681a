import { documentation, gatewayOccasions, problemMeanings } from '../../lambdas/contract/api/documentation.ts';
import { operations, problemsOf, type OperationName } from '../../lambdas/contract/api.ts';
import { gatewayAnswers, problemType, type Access } from '@outbox-saga/kit/http/contract';
import { problems } from '../../lambdas/contract/problems.ts';

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [head, head.map(() => '---'), ...rows]
    .map((row) => `| ${row.map((cell) => cell.replaceAll('|', String.raw`\|`)).join(' | ')} |`)
    .join('\n');
}

const callers = (access: Access): string =>
  access === 'open' ? 'everyone' : access === 'operator' ? 'IAM' : `\`${access.scope}\`, or IAM`;

type Parts = Readonly<Record<string, () => string>>;

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

/**
 * A page with its generated parts made anew.
 *
 * @throws Error when the page has not exactly the marks of every part
 */
export function withParts(page: string, parts: Parts, command = 'npm run client'): string {
  let text = page;
  for (const [name, make] of Object.entries(parts)) {
    const [start, end] = [`<!-- generated: ${name} (${command}) -->`, `<!-- end of ${name} -->`];
    const [from, to] = [text.indexOf(start), text.indexOf(end)];
    if (from < 0 || to < from) throw new Error(`the page lacks ${start} … ${end}`);
    text = `${text.slice(0, from)}${start}\n\n${make()}\n\n${text.slice(to)}`;
  }
  return text;
}
