/** Apart from the durations of the stages (stages.ts): every function reads its stage's name, and not all of them need durations. */
export const stageNames = ['dev', 'test', 'prod'] as const;
export type StageName = (typeof stageNames)[number];
