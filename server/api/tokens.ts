/** Calls about tokens: make one, which is shown once, and take one back. */
import {z} from '../../formats/schema.ts';
import {ServerError} from '../errors.ts';
import {TOKEN_ROLES, addToken, listTokens, revokeToken} from '../store/tokens.ts';
import {ApiError, readBody} from './input.ts';
import {type ApiRoute, type Call, NAME} from './router.ts';
import type {ApiTools} from './tools.ts';

export const TOKEN_ROUTES: readonly ApiRoute[] = [
  {
    ...{method: 'GET', path: /^tokens$/, role: 'admin'},
    act: async (_call, {database}) => ({tokens: await listTokens(database)}),
  },
  {method: 'POST', path: /^tokens$/, role: 'admin', act: add},
  {method: 'DELETE', path: new RegExp(`^tokens/${NAME}$`), role: 'admin', act: revoke},
];

const tokenSchema = z.strictObject({
  name: z.string().regex(new RegExp(`^${NAME}$`), 'letters, digits, dots and dashes, at most 64'),
  role: z.enum(TOKEN_ROLES),
});

async function add({body}: Call, {database, random, now}: ApiTools): Promise<object> {
  const wanted = readBody(body, tokenSchema);
  return {...wanted, token: await addToken(database, wanted, {random, now: now()})};
}

async function revoke({words: [name = ''], by}: Call, {database, now}: ApiTools): Promise<object> {
  if (name === by.name)
    throw new ApiError('bad-request', 'a token does not revoke itself', {
      hint: 'with another token of the role admin it can be done',
    });
  if (!(await revokeToken(database, name, now())))
    throw new ServerError('no-token', `there is no token ${name} that could be revoked`);
  return {name, revoked: true};
}
