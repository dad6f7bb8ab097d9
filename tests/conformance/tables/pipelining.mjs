// RFC 9112, section 9.3.2: requests sent before the answers to those before them: answered in order, or the
// connection is closed behind one of the answers. Every pair of a set of requests, and some long rows.

import { upgrade } from '../websocket.mjs';
import { chunked, get, head, inOrder, post, posted } from '../requests.mjs';

export const kind = 'http';
const DIRECT = ['plain', 'tls'];
const EVERY_WAY = ['plain', 'tls', 'haproxy', 'nginx'];
const section = '9112 9.3.2';

// closes: what is behind it is not answered.
function requests(server) {
  const host = `Host: ${server.host}`;
  const line = (text, ...lines) => head(text, [host, ...lines]);
  const ok = server.posted;
  return {
    GET: { send: get(server), statuses: [200], ways: EVERY_WAY },
    'GET of the page': { send: line('GET / HTTP/1.1'), statuses: [200], ways: EVERY_WAY },
    'GET of nothing': { send: line(`GET ${server.missing} HTTP/1.1`), statuses: [404], ways: EVERY_WAY },
    HEAD: { send: line(`HEAD ${server.get} HTTP/1.1`), statuses: [200], method: 'HEAD', ways: EVERY_WAY },
    'GET with a query': { send: line(`GET ${server.get}?a=b HTTP/1.1`), statuses: [200], ways: EVERY_WAY },
    'GET in absolute form': { send: line(`GET http://${server.host}${server.get} HTTP/1.1`), statuses: [200] },
    'GET with a body': { send: line(`GET ${server.get} HTTP/1.1`, 'Content-Length: 5') + 'abcde',
    statuses: [200, 400, 413] },
    POST: { send: posted(server), statuses: [ok] },
    'POST in chunks': { send: chunked(server, server.body.slice(0, 9), server.body.slice(9)), statuses: [ok] },
    'POST with trailers': { send: chunked(server).replace(/\r\n$/, 'X: a\r\n\r\n'), statuses: [ok] },
    'POST without a length': { send: post(server, [], ''), statuses: [400, 411, 422] },
    'POST of what is unfit': { send: post(server, ['Content-Length: 5'], 'abcde'), statuses: server.unfit },
    'POST to nothing': { send: line(`POST ${server.missing} HTTP/1.1`, 'Content-Length: 5') + 'abcde',
    statuses: [404, 405] },
    'POST that expects 100': { send: post(server, [`Content-Length: ${server.body.length}`,
    'Expect: 100-continue'], server.body), statuses: [ok, `100 ${ok}`, 417] },
    PUT: { send: line(`PUT ${server.get} HTTP/1.1`, 'Content-Length: 5') + 'abcde', statuses: [405, 501] },
    DELETE: { send: line(`DELETE ${server.get} HTTP/1.1`), statuses: [405, 501] },
    'OPTIONS *': { send: line('OPTIONS * HTTP/1.1'), statuses: [200, 204, 405, 501] },
    'GET in HTTP/1.0 that is kept': { send: head(`GET ${server.get} HTTP/1.0`, [host, 'Connection: keep-alive']),
    statuses: [200] },
  };
}

// What ends a connection. `alone`: node answers what is behind a close by 400, instead.
function endings(server) {
  const host = `Host: ${server.host}`;
  return {
    'GET that closes': { send: get(server, 'Connection: close'), statuses: [200] },
    'no request': { send: 'hello\r\n\r\n', statuses: [400] },
    'GET without Host': { send: head(`GET ${server.get} HTTP/1.1`), statuses: [400] },
    'POST with a bad length': { send: post(server, ['Content-Length: x'], server.body), statuses: [400] },
    'POST with two framings': { send: post(server, ['Content-Length: 5', 'Transfer-Encoding: chunked'],
    '0\r\n\r\n'), statuses: [400, 501] },
    'GET in HTTP/2.1': { send: head(`GET ${server.get} HTTP/2.1`, [host]), statuses: [400, 505] },
    'a bad chunk': { send: post(server, ['Transfer-Encoding: chunked'], 'x\r\n\r\n'), statuses: [400] },
  };
}

function pairs(server) {
  const list = [];
  const all = Object.entries(requests(server));
  for (const [one, first] of all) {
    for (const [two, second] of all)
      list.push({ name: `${one}, then ${two}`, section, send: first.send + second.send,
        methods: [first.method, second.method],
        ways: first.ways && second.ways ? EVERY_WAY : DIRECT, must: inOrder(first.statuses, second.statuses) });
    // node may give up an answer that it has not begun when it finds an error behind the request.
    for (const [two, { send, statuses }] of Object.entries(endings(server)))
      list.push({ name: `${one}, then ${two}`, section, send: first.send + send, methods: [first.method],
        sentinel: two !== 'GET that closes',
        must: [...first.statuses.flatMap((before) =>
          [`${before}`, ...statuses.map((after) => `${before} ${after}`)]), '400', '100 400'],
        should: first.statuses.flatMap((before) => [`${before}`, ...statuses.map((after) => `${before} ${after}`)]) });
  }
  for (const [one, { send, statuses }] of Object.entries(endings(server)))
    for (const [two, second] of all)
      list.push({ name: `${one}, then ${two}`, section, send: send + second.send,
        must: [...statuses.map(String), '400'], should: statuses.map(String) });
  return list;
}

// An upgrade has its turn, too; what follows it is frames, of which the sentinel is none. node upgrades
// before the answer.
function upgrades(server) {
  if (!server.websocket) return [];
  const list = [];
  for (const [what, { send, statuses, method }] of Object.entries(requests(server)))
    list.push({ name: `${what}, then an upgrade`, section: '9110 7.8', send: send + upgrade(server, 'pipeline'),
      methods: [method], must: [...statuses.flatMap((status) => [`${status}`, `${status} 101`]), '101', '100 101'],
      should: statuses.flatMap((status) => [`${status}`, `${status} 101`]) });
  return list;
}

// A paced row: each request is sent when the one before it is answered.
const answers = (count) => (connection, deadlineMs) =>
  connection.until(() => connection.received.toString('latin1').split('HTTP/1.1 ').length > count, deadlineMs);

function rows(server) {
  const list = [];
  const all = Object.entries(requests(server));
  const add = (name, row, send, ways) => list.push({ name, section, send, ways,
    methods: row.map(({ method }) => method), must: inOrder(...row.map(({ statuses }) => statuses)) });
  for (const [what, one] of all) {
    for (const count of [3, 10]) {
      const row = Array(count).fill(one);
      add(`${count} times ${what}`, row, one.send.repeat(count), one.ways ?? DIRECT);
    }
    add(`${what}, five times, each when the one before is answered`, Array(5).fill(one),
      Array.from({ length: 5 }, (_, i) => [one.send, answers(i + 1)]), one.ways ?? DIRECT);
  }
  for (const count of [100, 400])
    add(`${count} times GET`, Array(count).fill({ statuses: [200] }), get(server).repeat(count), EVERY_WAY);
  const each = all.map(([, one]) => one);
  add('one of each', each, each.map(({ send }) => send).join(''), DIRECT);
  return list;
}

export const cases = (server) => [...pairs(server), ...upgrades(server), ...rows(server)];
