/** URL of a consumer's queue in the simulated cloud. */
export const queueUrl = (consumer: string): string => `queue:${consumer}`;
export const deadLetterUrl = (consumer: string): string => `queue:${consumer}-dead-letters`;
/** What a queue is called where crash points and faults are counted. */
export const siteOfQueue = (url: string): string => url.replace(/^queue:(.+)-dead-letters$/, 'dead-letters:$1');
