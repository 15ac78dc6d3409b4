// Documents of 1 KB over kept connections, each with one request under way.
import { headersOf } from '../checks.mjs';
import { posted } from '../place.mjs';
import { wrk } from '../wrk.mjs';

const scenario = (name, note, { connections, ...request }) => ({
  name,
  note,
  load: (variant, { seconds }) =>
    wrk({
      url: `http://127.0.0.1:${variant.port}${variant.vars.TARGET}`,
      headers: headersOf(variant),
      connections,
      seconds,
      ...request,
    }),
});

const post = { method: 'POST', body: posted };

export default [
  scenario('get-1', 'GET, answer of 1 KB, 1 connection', { connections: 1 }),
  scenario('get-8', 'GET, answer of 1 KB, 8 connections', { connections: 8 }),
  scenario('get-64', 'GET, answer of 1 KB, 64 connections', { connections: 64 }),
  scenario('post-8', 'POST of 1 KB that the decision does not look at, 8 connections', { connections: 8, ...post }),
  scenario('post-64', 'POST of 1 KB that the decision does not look at, 64 connections', { connections: 64, ...post }),
];
