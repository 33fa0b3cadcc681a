/** What was seen to be wrong. */
export class Verdict {
  readonly violations: string[] = [];

  violate(what: string): void {
    if (this.violations.length < 20) this.violations.push(what);
  }

  demand(holds: boolean, what: () => string): void {
    if (!holds) this.violate(what());
  }
}
