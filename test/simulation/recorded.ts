/** Sabotage → a seed that finds it out: CI replays these. `npm run simulate -- --sabotage all` finds them anew. */
export const recordedSeeds: Readonly<Record<string, number>> = {};
