// Documents of 1 KB over kept connections, each with one request under way.
import { headersOf } from '../checks.mjs';
import { posted } from '../place.mjs';
import { wrk } from '../wrk.mjs';
import { isDeciding, kindsAndBare, named, ofTargets } from './which.mjs';

const scenario = (name, note, { connections, variants, path, ...request }) => ({
  name,
  note,
  ...(variants === undefined ? {} : { variants }),
  load: (variant, { seconds }) =>
    wrk({
      url: `http://127.0.0.1:${variant.port}${path ?? variant.vars.TARGET}`,
      headers: headersOf(variant),
      rotate: variant.vars.ROTATE,
      connections,
      seconds,
      ...request,
    }),
});

const post = { method: 'POST', body: posted };
/** Found in the body, so the whole of it is read before anything is decided. */
const decisive = {
  method: 'POST',
  path: '/api/v1/docs',
  body: JSON.stringify({ space: 'space-07', text: 'y'.repeat(990) }),
};

export default [
  scenario('get-1', 'GET, answer of 1 KB, 1 connection', { connections: 1, variants: kindsAndBare }),
  scenario('get-8', 'GET, answer of 1 KB, 8 connections', { connections: 8, variants: ofTargets }),
  scenario('get-64', 'GET, answer of 1 KB, 64 connections', { connections: 64 }),
  scenario('post-8', 'POST of 1 KB that the decision does not look at, 8 connections', {
    connections: 8,
    variants: ofTargets,
    ...post,
  }),
  scenario('post-64', 'POST of 1 KB that the decision does not look at, 64 connections', {
    connections: 64,
    variants: ofTargets,
    ...post,
  }),
  scenario('post-body-64', 'POST of 1 KB whose body names the space, 64 connections', {
    connections: 64,
    variants: isDeciding,
    ...decisive,
  }),
  scenario('cold-keys', 'GET, every request with a key that has to be verified, 8 connections', {
    connections: 8,
    variants: named('memgate-cold', 'memgate-cold-again'),
  }),
  scenario('keys-10000', 'GET, 10,000 keys known and 64 in use, 64 connections', {
    connections: 64,
    variants: named('memgate', 'memgate-again', 'memgate-keys-10000'),
  }),
  scenario('spaces-500', 'GET, a key for 500 spaces, all in use, 64 connections', {
    connections: 64,
    variants: named('memgate-own', 'memgate-own-again', 'memgate-spaces-500'),
  }),
];
