/** What a page shows between its marks: name of the part → what makes its text. */
export type Parts = Readonly<Record<string, () => string>>;

/**
 * A page with its generated parts made anew.
 *
 * @param command that makes them; the marks name it
 * @throws Error when the page has not exactly the marks of every part
 */
export function withParts(page: string, parts: Parts, command: string): string {
  let text = page;
  for (const [name, make] of Object.entries(parts)) {
    const [start, end] = [`<!-- generated: ${name} (${command}) -->`, `<!-- end of ${name} -->`];
    const [from, to] = [text.indexOf(start), text.indexOf(end)];
    if (from < 0 || to < from) throw new Error(`the page lacks ${start} … ${end}`);
    // As far in as the marks are: inside of a list.
    const indent = / *$/.exec(text.slice(0, from))![0];
    const part = make().replaceAll(/^(?=.)/gm, indent);
    text = `${text.slice(0, from)}${start}\n\n${part}\n\n${indent}${text.slice(to)}`;
  }
  return text;
}
