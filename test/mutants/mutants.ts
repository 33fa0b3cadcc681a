/** One check taken out of the access code. `find` stands exactly once in the file. */
export interface Mutant {
  readonly what: string;
  readonly file: string;
  readonly find: string;
  readonly replace: string;
  /** Test files that must notice, the quick ones first. */
  readonly tests: readonly string[];
}

const access = 'test/integration/access.test.ts';
const issuer = 'packages/local/test/tokens.test.ts';
const iam = 'packages/local/test/iam.test.ts';
const granted = 'test/integration/iam.test.ts';
const http = 'test/unit/http.test.ts';
const callers = 'test/unit/callers.test.ts';
const stack = 'test/infra/stack.test.ts';
const local = 'test/unit/local.test.ts';
const gateway = 'test/unit/local/gateway.test.ts';
const proxy = 'test/unit/local/aws-server.test.ts';
const iamGate = 'test/unit/local/authorizers.test.ts';
const signatures = 'test/unit/local/signature.test.ts';

const mutant = (what: string, file: string, find: string, replace: string, ...tests: string[]): Mutant => ({
  what,
  file,
  find,
  replace,
  tests,
});

const placeOrder = 'lambdas/place-order/handler.ts';
const queryOrders = 'lambdas/query-orders/handler.ts';
const cancel = 'lambdas/order-saga/cancel-handler.ts';
const stockAdmin = 'lambdas/stock-admin/handler.ts';
const caller = 'packages/kit/src/http/caller.ts';
const queryOrdersOperations = 'lambdas/contract/api/query-orders.ts';
const orderCancelOperations = 'lambdas/contract/api/order-cancel.ts';
const tokens = 'packages/local/src/gateway/tokens.ts';
const authorizers = 'packages/local/src/gateway/authorizers.ts';
const signature = 'packages/local/src/signature.ts';
const asksWho = 'callers: callersOf(environment),';
const asksNobody = "callers: { proof: 'none' },";
const guard = 'packages/emulator/src/http-server.ts';

/** Every check that keeps somebody from where they don't belong, on AWS and on a laptop. */
export const mutants: readonly Mutant[] = [
  // What functions check.
  mutant('a customer may order for another', placeOrder, '!mayAccess(caller, placement.customerId)', 'false', access),
  mutant(
    'the request’s customer goes before the token’s',
    placeOrder,
    'caller.subject ?? placement.customerId',
    'placement.customerId',
    access,
  ),
  mutant('guests may order everywhere', placeOrder, "environment.AUTHENTICATION === 'none' ? 'guest'", "true ? 'guest'", access),
  mutant('placing asks nobody who they are', placeOrder, asksWho, asksNobody, callers),
  mutant('a customer may read another’s order', queryOrders, '!order || !mayAccess(caller, order.customerId)', '!order', access),
  mutant('a customer may list another’s orders', queryOrders, '!mayAccess(caller, customerId)', 'false', access),
  mutant('reading asks nobody who they are', queryOrders, asksWho, asksNobody, callers),
  mutant('a customer may cancel another’s order', cancel, '!order || !mayAccess(caller, order.customerId)', '!order', access),
  mutant('cancelling asks nobody who they are', cancel, asksWho, asksNobody, callers),
  mutant('setting stock asks nobody who they are', stockAdmin, asksWho, asksNobody, callers),
  mutant('what is for somebody is everyone’s', caller, "access === 'open' || callers", "access !== 'operator' || callers", callers),
  mutant('what is for operators is everyone’s', caller, "access === 'open' || callers", "typeof access === 'string' || callers", callers),
  mutant('customers may do what operators may', caller, "access !== 'operator' && callers", 'callers', callers),
  mutant('a route without an authorizer is everyone’s', caller, '  demandIam(event);\n', '', callers),
  mutant('an IAM identity need not be one', caller, "typeof userArn !== 'string' || userArn === ''", 'false', callers),
  mutant(
    'a customer’s token needs no subject',
    caller,
    "access !== 'operator' && callers.proof === 'token'",
    "false && callers.proof === 'token'",
    callers,
  ),
  mutant('everything is everyone’s', caller, 'subject === undefined || subject === owner', 'true || subject === owner', access),
  mutant(
    'a subject need not be one',
    caller,
    'if (!subject.success) throw new Problem(unusableSubject);',
    "if (!subject.success) return 'guest';",
    callers,
  ),
  mutant(
    'no function goes by tokens',
    'lambdas/contract/api/access.ts',
    "proof === 'token' ? { proof, subject: subjectSchema, unusableSubject: problems.unusableSubject } : { proof }",
    "{ proof: 'iam' }",
    callers,
  ),
  mutant('a real gateway charges what nobody named', 'lib/services/orders.ts', 'String(sandboxDefaults)', "'true'", stack),
  mutant('a cursor fits every customer', 'lambdas/query-orders/cursor.ts', 'parsed.data.c !== customerId || ', '', http),
  mutant('a cursor fits every status', 'lambdas/query-orders/cursor.ts', ' || parsed.data.s !== status', '', http),

  // What the template demands.
  mutant('customers’ routes demand IAM in spite of an issuer', 'packages/constructs/src/service-api.ts', ': subjects;', ': iam;', stack),
  mutant(
    'operators’ routes take tokens',
    'packages/constructs/src/service-api.ts',
    "route.access === 'operator' ? iam : subjects",
    'subjects',
    stack,
  ),
  mutant('every route is open', 'packages/constructs/src/service-api.ts', "route.access === 'open' ? open", 'true ? open', stack),
  mutant('no route demands a scope', 'packages/constructs/src/service-api.ts', 'authorizationScopes: [route.access.scope]', '', stack),
  mutant(
    'what matches no route is open',
    'lib/services/http-api.ts',
    "$default: { function: health, access: 'operator', throttleShare: 0.1 }",
    "$default: { function: health, access: 'open', throttleShare: 0.1 }",
    stack,
  ),
  mutant(
    'functions go by IAM alone in spite of an issuer',
    'lib/services/order-services.ts',
    "props.issuer ? 'token' : 'iam'",
    "'iam'",
    stack,
  ),
  mutant('nobody is asked on AWS', 'lib/app.ts', "local === 'open'", 'true', stack),
  mutant('an issuer needs no audience', 'lib/app.ts', 'if (audience.length === 0) throw', 'if (false) throw', stack),
  mutant('an issuer needs no TLS', 'lib/app.ts', "(local || new URL(url).protocol === 'https:')", 'true', stack),
  mutant(
    'stock may be set by everyone',
    'lambdas/contract/api/stock-admin.ts',
    "route: 'PUT /admin/stock/{sku}',\n    access: 'operator'",
    "route: 'PUT /admin/stock/{sku}',\n    access: 'open'",
    stack,
  ),
  mutant(
    'everybody’s orders may be read by everyone',
    queryOrdersOperations,
    "route: 'GET /admin/orders/{id}', access: 'operator'",
    "route: 'GET /admin/orders/{id}', access: 'open'",
    stack,
  ),
  mutant(
    'everybody’s orders may be cancelled by everyone',
    orderCancelOperations,
    "route: 'POST /admin/orders/{id}/cancel', access: 'operator'",
    "route: 'POST /admin/orders/{id}/cancel', access: 'open'",
    stack,
  ),
  mutant('whoever may read may cancel', orderCancelOperations, 'access: scopes.cancel', 'access: scopes.read', stack),

  // How the local gateway imitates the authorizers.
  mutant('any algorithm will do', tokens, '        algorithms,\n', '', issuer),
  mutant('any issuer will do', tokens, '        issuer,\n        algorithms,', '        algorithms,', access),
  mutant(
    'any audience will do',
    tokens,
    "if (!audiences.some((entry) => typeof entry === 'string' && audience.includes(entry)))",
    'if (false)',
    access,
  ),
  mutant('the client id goes before the audience', tokens, 'payload.aud === undefined ?', "payload['client_id'] !== undefined ?", access),
  mutant('a token may last forever', tokens, "        requiredClaims: ['exp'],\n", '', access),
  mutant('an expired token will do', tokens, 'currentDate: now', 'currentDate: new Date(0)', access),
  mutant(
    'a token need not name its key',
    tokens,
    "if (decodeProtectedHeader(token).kid === undefined) return refused('the token names no key');",
    '',
    issuer,
  ),
  mutant('a token may be issued in the future', tokens, 'payload.iat > seconds', 'false', access),
  mutant('a token that held holds forever', tokens, 'held && held.claims.exp! > seconds', 'held', issuer),
  mutant('a refused token is let in', authorizers, 'if (!verdict.holds) return', 'if (false) return', access),
  mutant(
    'no token is let in',
    authorizers,
    "if (token === '') return { refusal: gatewayAnswers.unauthorized, challenge: 'Bearer' };",
    "if (token === '') return { context: undefined };",
    access,
  ),
  mutant('any scope will do', authorizers, 'demanded.length > 0 && scopes.length === 0', 'false', access),
  mutant(
    'a route with an unknown authorizer is open',
    authorizers,
    'if (!verifier)',
    'if (!verifier) return [id, () => Promise.resolve({ context: undefined })];\n      if (!verifier)',
    local,
  ),
  mutant('an unknown key may sign', authorizers, 'if (!secret) return forbidden;', 'if (!secret) return { context: undefined };', iamGate),
  mutant(
    'no signature is needed',
    authorizers,
    'if (accessKey === undefined) return forbidden;',
    'if (accessKey === undefined) return { context: undefined };',
    access,
  ),
  mutant(
    'a signature need not hold',
    authorizers,
    "if (!(await isSigned(request, body, 'execute-api', secret))) return forbidden;",
    '',
    access,
  ),
  mutant('a function may call the API', authorizers, 'fn && iam.refusal(fn.name', 'fn && false && iam.refusal(fn.name', access),
  mutant(
    'every signature is right',
    signature,
    'timingSafeEqual(Buffer.from(made.signature), Buffer.from(claim.signature))',
    'true',
    access,
  ),
  mutant(
    'a signature holds forever',
    signature,
    'if (Math.abs(signingDate.getTime() - Date.now()) > clockSkewMs) return false;',
    '',
    access,
  ),
  mutant('the host need not be signed', signature, "!names.has('host') || ", '', access),
  mutant(
    'x-amz headers need not be signed',
    signature,
    " || Object.keys(request.headers).some((name) => name.startsWith('x-amz-') && !names.has(name))",
    '',
    access,
  ),
  mutant(
    'the body need not be what its hash says',
    signature,
    "claimedHash !== undefined && claimedHash !== createHash('sha256').update(body).digest('hex')",
    'false',
    access,
  ),
  mutant('every web page may call', 'packages/local/src/gateway/cors.ts', '|| !AllowOrigins.includes(origin)', '', local),
  mutant(
    'pages of a shop may call the runtime’s own',
    'packages/local/src/gateway/server.ts',
    '{ hosts, origins: [] }',
    '{ hosts, origins: [request.headers.origin!] }',
    gateway,
  ),
  mutant('every host may be named', guard, '![...loopbackNames, ...hosts].includes(name)', 'false', proxy),
  mutant('every web page is answered', guard, 'origin !== undefined && origin !== `http://${host}`', 'false', proxy),
  mutant(
    'other sites may hide their origin',
    guard,
    "site !== undefined && site !== 'same-origin'",
    "false && site !== 'same-origin'",
    proxy,
  ),
  mutant('temporary credentials will do', signature, "request.headers['x-amz-security-token'] !== undefined", 'false', signatures),
  mutant('a signature holds for paths that look alike', signature, ' || /\\/\\/|\\/\\.{1,2}(\\/|$)/.test(path)', '', signatures),
  mutant('claims may be of any type', tokens, 'if (nonsense.length > 0) return', 'if (false) return', issuer),
  mutant('keys can be read by everyone', 'packages/local/src/identities.ts', '{ mode: 0o600 }', '{ mode: 0o644 }', access),

  // How the local runtime enforces IAM.
  mutant('functions need not sign', 'packages/local/src/aws/server.ts', 'if (identity && !(await', 'if (false && !(await', granted),
  mutant('no policy is asked', 'packages/local/src/aws/calls.ts', 'return iam.refusal(caller,', 'return void iam.refusal(caller,', granted),
  mutant(
    'what nothing allows is allowed',
    'packages/local/src/iam.ts',
    "applicable.length > 0 ? 'allowed' : 'not allowed'",
    "'allowed'",
    iam,
  ),
  mutant('a deny is not heard', 'packages/local/src/iam.ts', "applicable.some(({ effect }) => effect === 'Deny')", 'false', iam),
  mutant(
    'conditions are not looked at',
    'packages/local/src/iam.ts',
    "if (operator !== 'Bool' || key !== 'aws:SecureTransport') unknown(`the condition ${operator} ${key}`);",
    '',
    iam,
  ),
  mutant(
    'unknown elements are passed over',
    'packages/local/src/iam.ts',
    "if (Object.keys(others).length > 0) unknown(Object.keys(others).join(', '));",
    '',
    iam,
  ),
  mutant(
    'resources do not count',
    'packages/local/src/iam.ts',
    ' && resources.some((pattern) => matches(pattern, resource, false))',
    '',
    iam,
  ),
  mutant(
    'a transaction needs nothing',
    'packages/local/src/iam.ts',
    "if (operation === 'TransactWriteItems') {",
    "if (operation === 'TransactWriteItems') return [];\n  if (operation === 'TransactWriteItems') {",
    iam,
  ),
  mutant(
    'an index needs only its table',
    'packages/local/src/iam.ts',
    "body['IndexName'] === undefined ? table : `${table}/index/${String(body['IndexName'])}`",
    'table',
    iam,
  ),
];
