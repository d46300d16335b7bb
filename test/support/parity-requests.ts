import type { DescMethod, JsonValue } from '@bufbuild/protobuf';
import { FileService } from '../../src/gen/file/service/v1/file_pb.js';
import { LogService } from '../../src/gen/log/service/v1/log_pb.js';
import { UserService } from '../../src/gen/user/service/v1/user_pb.js';
import { methodOf } from './grpc-caller.js';
import type { HttpRequest } from './http-caller.js';
import { TrialService } from './trial-proto.js';
import type { TokenName } from './tokens.js';

/** What both faces must say: the data, or who is to blame for what. */
export type ParityOutcome =
  | { readonly data: JsonValue }
  | {
      readonly status: string;
      readonly reason: string;
      /** `field:RULE` of each violation, in order. */
      readonly violations?: readonly string[];
    };

/** One request as each face writes it, and what comes of it on either. */
export interface ParityRequest {
  readonly name: string;
  readonly rest: Pick<HttpRequest, 'method' | 'path' | 'body' | 'headers'>;
  readonly rpc: {
    readonly method: DescMethod;
    readonly message: JsonValue;
    readonly serverTimeoutMs?: number;
    /** What is sent behind the message: fields that the contract does not have, and the names REST gives them. */
    readonly beyond?: { readonly bytes: Buffer; readonly names: Readonly<Record<string, string>> };
  };
  readonly token?: TokenName;
  readonly outcome: ParityOutcome;
}

const users = '/api/v1/users';
const getUser = methodOf(UserService, 'GetUser');
const listUsers = methodOf(UserService, 'ListUsers');
const createUser = methodOf(UserService, 'CreateUser');
const updateUser = methodOf(UserService, 'UpdateUser');
const deleteUser = methodOf(UserService, 'DeleteUser');
const listFiles = methodOf(FileService, 'ListFiles');
const listEntries = methodOf(LogService, 'ListEntries');
const placeOrder = methodOf(TrialService, 'PlaceOrder');
const fail = methodOf(TrialService, 'Fail');

const createdAt = 'a time';
const alice = { id: '1', displayName: 'Alice', email: 'alice@example.com', role: 'developer', age: 34, createdAt };
const bob = { id: '2', displayName: 'Bob', email: 'bob@example.com', role: 'operator', createdAt };
const carol = { id: '3', displayName: 'Carol', email: 'carol@example.com', role: 'viewer', age: 28, createdAt };
const dora = { displayName: 'Dora', email: 'dora@example.com', role: 'viewer', age: 0 };

function ok(data: JsonValue): ParityOutcome {
  return { data };
}

function refused(status: string, reason: string): ParityOutcome {
  return { status, reason };
}

function invalid(...violations: string[]): ParityOutcome {
  return { status: 'INVALID_ARGUMENT', reason: 'VALIDATION_FAILED', violations };
}

function get(path: string, method: DescMethod, message: JsonValue, outcome: ParityOutcome): ParityRequest {
  return { name: `GET ${path}`, rest: { path }, rpc: { method, message }, outcome };
}

function create(
  name: string,
  body: Record<string, JsonValue>,
  outcome: ParityOutcome,
  token: TokenName | 'none' = 'writer',
): ParityRequest {
  const rest = { method: 'POST', path: users, body };
  return { name, rest, rpc: { method: createUser, message: body }, outcome, ...(token !== 'none' && { token }) };
}

function update(name: string, id: string, body: Record<string, JsonValue>, outcome: ParityOutcome): ParityRequest {
  const rest = { method: 'PATCH', path: `${users}/${id}`, body };
  return { name, rest, rpc: { method: updateUser, message: { id, ...body } }, token: 'writer', outcome };
}

function remove(name: string, id: string, outcome: ParityOutcome, token: TokenName | 'none' = 'writer'): ParityRequest {
  const rest = { method: 'DELETE', path: `${users}/${id}` };
  return { name, rest, rpc: { method: deleteUser, message: { id } }, outcome, ...(token !== 'none' && { token }) };
}

function order(name: string, body: Record<string, JsonValue>, outcome: ParityOutcome): ParityRequest {
  return {
    name,
    rest: { method: 'POST', path: '/trial/orders', body },
    rpc: { method: placeOrder, message: body },
    outcome,
  };
}

function failing(mode: string, outcome: ParityOutcome): ParityRequest {
  const message = { mode };
  return {
    name: `a handler that fails: ${mode}`,
    rest: { method: 'POST', path: '/trial/fail', body: message },
    rpc: { method: fail, message },
    outcome,
  };
}

function denied(token: TokenName | 'none', outcome: ParityOutcome): ParityRequest {
  return create(
    `a token that is ${token === 'none' ? 'missing' : token}`,
    { ...dora, email: 'nobody@example.com' },
    outcome,
    token,
  );
}

const internal = refused('INTERNAL', 'INTERNAL');
const unauthenticated = (reason: string): ParityOutcome => refused('UNAUTHENTICATED', reason);

/** All requests, in the order in which they are sent to two services that begin alike. */
export const parityRequests: readonly ParityRequest[] = [
  // Reading one.
  get(`${users}/1`, getUser, { id: '1' }, ok(alice)),
  get(`${users}/2`, getUser, { id: '2' }, ok(bob)),
  get(`${users}/9`, getUser, { id: '9' }, refused('NOT_FOUND', 'USER_NOT_FOUND')),
  get(`${users}/9223372036854775807`, getUser, { id: '9223372036854775807' }, refused('NOT_FOUND', 'USER_NOT_FOUND')),
  get(`${users}/0`, getUser, { id: '0' }, invalid('id:IS_ID')),
  get(`${users}/-1`, getUser, { id: '-1' }, invalid('id:IS_ID')),

  // Reading pages. The first page's token is the same on both services, as it stands for a position.
  get(users, listUsers, {}, ok({ users: [alice, bob, carol], nextPageToken: '' })),
  get(`${users}?pageSize=0`, listUsers, { pageSize: 0 }, ok({ users: [alice, bob, carol], nextPageToken: '' })),
  get(`${users}?pageSize=3`, listUsers, { pageSize: 3 }, ok({ users: [alice, bob, carol], nextPageToken: '' })),
  get(`${users}?pageSize=2`, listUsers, { pageSize: 2 }, ok({ users: [alice, bob], nextPageToken: 'a token' })),
  get(`${users}?page_size=1`, listUsers, { pageSize: 1 }, ok({ users: [alice], nextPageToken: 'a token' })),
  get(
    `${users}?pageSize=100000`,
    listUsers,
    { pageSize: 100_000 },
    ok({ users: [alice, bob, carol], nextPageToken: '' }),
  ),
  get(`${users}?pageSize=-1`, listUsers, { pageSize: -1 }, invalid('pageSize:MIN')),
  get(`${users}?pageToken=wrong`, listUsers, { pageToken: 'wrong' }, invalid('pageToken:IS_PAGE_TOKEN')),
  get(`${users}?pageSize=-1&pageToken=wrong`, listUsers, { pageSize: -1, pageToken: 'wrong' }, invalid('pageSize:MIN')),

  // Creating.
  create('a user', dora, ok({ id: '4', ...dora, createdAt })),
  create(
    'a user without an age',
    { displayName: 'Eve', email: 'eve@example.com', role: 'operator' },
    ok({ id: '5', displayName: 'Eve', email: 'eve@example.com', role: 'operator', createdAt }),
  ),
  create(
    'a user with a name beyond ASCII',
    { displayName: 'Zoë 🐧', email: 'zoe@example.com', role: 'viewer', age: 150 },
    ok({ id: '6', displayName: 'Zoë 🐧', email: 'zoe@example.com', role: 'viewer', age: 150, createdAt }),
  ),
  create('a duplicate email', { ...dora, displayName: 'Dora again' }, refused('ALREADY_EXISTS', 'USER_EMAIL_TAKEN')),
  create(
    'a duplicate email in other letter case',
    { ...dora, email: 'DORA@example.com' },
    refused('ALREADY_EXISTS', 'USER_EMAIL_TAKEN'),
  ),
  create('nothing', {}, invalid('displayName:MATCHES', 'email:IS_EMAIL', 'role:IS_IN')),
  create('without a name', { email: 'a@example.com', role: 'viewer' }, invalid('displayName:MATCHES')),
  create('an empty name', { ...dora, displayName: '' }, invalid('displayName:MATCHES')),
  create('a name of 101 characters', { ...dora, displayName: 'x'.repeat(101) }, invalid('displayName:IS_LENGTH')),
  create('a name of blanks', { ...dora, displayName: '   ' }, invalid('displayName:MATCHES')),
  create('a name with a line break', { ...dora, displayName: 'Dora\nroot' }, invalid('displayName:MATCHES')),
  create('an email without a domain', { ...dora, email: 'dora' }, invalid('email:IS_EMAIL')),
  create('an unknown role', { ...dora, role: 'root' }, invalid('role:IS_IN')),
  create('an age below 0', { ...dora, age: -1 }, invalid('age:MIN')),
  create('an age above 150', { ...dora, age: 151 }, invalid('age:MAX')),
  create(
    'several wrong fields',
    { displayName: 'D', email: 'd', role: 'r', age: 200 },
    invalid('email:IS_EMAIL', 'role:IS_IN', 'age:MAX'),
  ),

  // Changing.
  update('the name', '4', { displayName: 'Dorothea' }, ok({ id: '4', ...dora, displayName: 'Dorothea', createdAt })),
  update(
    'by a mask',
    '4',
    { age: 41, role: 'operator', updateMask: 'age' },
    ok({ id: '4', ...dora, displayName: 'Dorothea', age: 41, createdAt }),
  ),
  update(
    'away the age by a mask',
    '4',
    { updateMask: 'age' },
    ok({ id: '4', displayName: 'Dorothea', email: dora.email, role: 'viewer', createdAt }),
  ),
  update('nothing', '4', {}, ok({ id: '4', displayName: 'Dorothea', email: dora.email, role: 'viewer', createdAt })),
  update(
    'its own email',
    '4',
    { email: 'Dora@Example.com' },
    ok({ id: '4', displayName: 'Dorothea', email: 'Dora@Example.com', role: 'viewer', createdAt }),
  ),
  update('to a taken email', '4', { email: 'alice@example.com' }, refused('ALREADY_EXISTS', 'USER_EMAIL_TAKEN')),
  update('away the name', '4', { updateMask: 'displayName' }, invalid('displayName:IS_DEFINED')),
  update('a field that cannot be changed', '4', { updateMask: 'createdAt' }, invalid('updateMask:IS_UPDATABLE')),
  update('to an unknown role', '4', { role: 'root' }, invalid('role:IS_IN')),
  update('nobody', '99', { displayName: 'Nobody' }, refused('NOT_FOUND', 'USER_NOT_FOUND')),
  update('id 0', '0', { displayName: 'Zero' }, invalid('id:IS_ID')),

  // Removing.
  remove('a user', '4', ok(null)),
  remove('the same user again', '4', refused('NOT_FOUND', 'USER_NOT_FOUND')),
  remove('id 0', '0', invalid('id:IS_ID')),
  remove('without a token', '1', unauthenticated('TOKEN_MISSING'), 'none'),
  remove('without the scope', '1', refused('PERMISSION_DENIED', 'SCOPE_MISSING'), 'reader'),

  // Who calls.
  denied('none', unauthenticated('TOKEN_MISSING')),
  denied('malformed', unauthenticated('TOKEN_MALFORMED')),
  denied('expired', unauthenticated('TOKEN_EXPIRED')),
  denied('notYetValid', unauthenticated('TOKEN_NOT_YET_VALID')),
  denied('wronglySigned', unauthenticated('TOKEN_SIGNATURE_INVALID')),
  denied('tampered', unauthenticated('TOKEN_SIGNATURE_INVALID')),
  denied('algNone', unauthenticated('TOKEN_ALGORITHM_REFUSED')),
  denied('algNoneWithSignature', unauthenticated('TOKEN_ALGORITHM_REFUSED')),
  denied('otherAlgorithm', unauthenticated('TOKEN_ALGORITHM_REFUSED')),
  denied('otherAudience', unauthenticated('TOKEN_AUDIENCE_MISMATCH')),
  denied('withoutSubject', unauthenticated('TOKEN_CLAIM_INVALID')),
  denied('wrongScopeType', unauthenticated('TOKEN_CLAIM_INVALID')),
  denied('reader', refused('PERMISSION_DENIED', 'SCOPE_MISSING')),
  // DESIGN: validation comes before authorisation, authentication before both.
  create('nonsense without the scope', { ...dora, age: 151 }, invalid('age:MAX'), 'reader'),
  create('nonsense without a token', { ...dora, age: 151 }, unauthenticated('TOKEN_MISSING'), 'none'),

  // Other lists.
  get('/api/v1/files', listFiles, {}, ok({ files: [] })),
  { ...get('/api/v1/logs', listEntries, {}, ok({ entries: [], nextPageToken: '' })), token: 'reader' },
  { ...get('/api/v1/logs?pageSize=-1', listEntries, { pageSize: -1 }, invalid('pageSize:MIN')), token: 'reader' },

  // Objects within objects.
  order(
    'an order',
    { title: 'Eggs', items: [{ name: 'egg', quantity: 12 }], gift: { name: 'box', quantity: 1 }, tags: ['food'] },
    ok({ title: 'Eggs', items: [{ name: 'egg', quantity: 12 }], gift: { name: 'box', quantity: 1 }, tags: ['food'] }),
  ),
  order('an order of nothing', { title: 'Air' }, ok({ title: 'Air', items: [], tags: [] })),
  order(
    'a wrong item',
    {
      title: 'Eggs',
      items: [
        { name: 'egg', quantity: 1 },
        { name: 'egg', quantity: 2 },
        { name: '', quantity: 3 },
      ],
    },
    invalid('items[2].name:IS_LENGTH'),
  ),
  order(
    'two wrong items',
    { title: 'Eggs', items: [{ name: 'egg' }, { name: 'egg', quantity: 100 }] },
    invalid('items[0].quantity:MIN', 'items[1].quantity:MAX'),
  ),
  order(
    'a wrong nested object',
    { title: 'Eggs', gift: { name: 'x'.repeat(21), quantity: 1 } },
    invalid('gift.name:IS_LENGTH'),
  ),
  order(
    'too many items',
    { title: 'Eggs', items: Array.from({ length: 6 }, () => ({ name: 'egg', quantity: 1 })) },
    invalid('items:ARRAY_MAX_SIZE'),
  ),
  order('a wrong element', { title: 'Eggs', tags: ['food', 'x'] }, invalid('tags:IS_LENGTH')),

  // What handlers throw.
  failing('declared:1', refused('CANCELLED', 'TRIAL_CANCELLED')),
  failing('declared:2', refused('UNKNOWN', 'TRIAL_UNKNOWN')),
  failing('declared:3', refused('INVALID_ARGUMENT', 'TRIAL_INVALID_ARGUMENT')),
  failing('declared:4', refused('DEADLINE_EXCEEDED', 'TRIAL_DEADLINE_EXCEEDED')),
  failing('declared:5', refused('NOT_FOUND', 'TRIAL_NOT_FOUND')),
  failing('declared:6', refused('ALREADY_EXISTS', 'TRIAL_ALREADY_EXISTS')),
  failing('declared:7', refused('PERMISSION_DENIED', 'TRIAL_PERMISSION_DENIED')),
  failing('declared:8', refused('RESOURCE_EXHAUSTED', 'TRIAL_RESOURCE_EXHAUSTED')),
  failing('declared:9', refused('FAILED_PRECONDITION', 'TRIAL_FAILED_PRECONDITION')),
  failing('declared:10', refused('ABORTED', 'TRIAL_ABORTED')),
  failing('declared:11', refused('OUT_OF_RANGE', 'TRIAL_OUT_OF_RANGE')),
  failing('declared:12', refused('UNIMPLEMENTED', 'TRIAL_UNIMPLEMENTED')),
  failing('declared:13', refused('INTERNAL', 'TRIAL_INTERNAL')),
  failing('declared:14', refused('UNAVAILABLE', 'TRIAL_UNAVAILABLE')),
  failing('declared:15', refused('DATA_LOSS', 'TRIAL_DATA_LOSS')),
  failing('declared:16', refused('UNAUTHENTICATED', 'TRIAL_UNAUTHENTICATED')),
  failing('string', internal),
  failing('undefined', internal),
  failing('null', internal),
  failing('object', internal),
  failing('error', internal),
  failing('rejection', internal),
  failing('httpInternal', internal),
  failing('httpNotFound', refused('NOT_FOUND', 'NOT_FOUND')),
  failing('httpConflict', refused('ALREADY_EXISTS', 'ALREADY_EXISTS')),
  failing('rpc:9', refused('FAILED_PRECONDITION', 'FAILED_PRECONDITION')),
  {
    name: 'an order with a field that the contract does not have',
    rest: { method: 'POST', path: '/trial/orders', body: { title: 'a', colour: 'red' } },
    // Field 15, a text.
    rpc: {
      method: placeOrder,
      message: { title: 'a' },
      beyond: { bytes: Buffer.from([0x7a, 0x03, 0x72, 0x65, 0x64]), names: { '#15': 'colour' } },
    },
    outcome: invalid('colour:UNKNOWN_FIELD'),
  },
  {
    name: 'an order with such a field in a nested message',
    rest: { method: 'POST', path: '/trial/orders', body: { title: 'a', gift: { name: 'b', quantity: 1, colour: 1 } } },
    // Field 3, and in it name, quantity, and field 9, a number.
    rpc: {
      method: placeOrder,
      message: { title: 'a' },
      beyond: {
        bytes: Buffer.from([0x1a, 0x07, 0x0a, 0x01, 0x62, 0x10, 0x01, 0x48, 0x01]),
        names: { 'gift.#9': 'gift.colour' },
      },
    },
    outcome: invalid('gift.colour:UNKNOWN_FIELD'),
  },
  {
    name: 'a handler that never returns',
    rest: { method: 'POST', path: '/trial/fail', body: { mode: 'never' }, headers: { 'request-timeout': '0.2' } },
    rpc: { method: fail, message: { mode: 'never' }, serverTimeoutMs: 200 },
    outcome: refused('DEADLINE_EXCEEDED', 'DEADLINE_EXCEEDED'),
  },
];
