/** A failure that the person at the keyboard can mend: printed as it is, without a stack trace. */
export class StartProblem extends Error {
  override readonly name = 'StartProblem';
}
