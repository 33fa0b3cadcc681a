import { SourceMap, type SourceMapPayload } from 'node:module';

/** A source map as esbuild writes it. */
export type BundleMap = SourceMapPayload;

/** A frame of deployed code, in a stack trace or a log line: `file:///var/task/index.mjs:31:4021`. */
const frame = /(?:file:\/\/)?[^\s()"\\]*\bindex\.mjs:(\d+):(\d+)/g;

/** Says of each frame of a bundle where it is in the sources; the rest of the text stays as it is. */
export function originalTrace(text: string, map: BundleMap): string {
  const sources = new SourceMap(map);
  return text.replaceAll(frame, (deployed: string, line: string, column: string) => {
    const found = sources.findEntry(Number(line) - 1, Number(column) - 1);
    return 'originalSource' in found ? `${found.originalSource}:${found.originalLine + 1}:${found.originalColumn + 1}` : deployed;
  });
}
