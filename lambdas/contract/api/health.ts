import type { Operations } from '@outbox-saga/kit/http/operations';

/** What function health does for the API. */
export const healthOperations = {
  getHealth: { route: 'GET /health', access: 'open', throttleShare: 0.1 },
  getDocument: { route: 'GET /openapi.json', access: 'open', throttleShare: 0.1 },
} as const satisfies Operations;
