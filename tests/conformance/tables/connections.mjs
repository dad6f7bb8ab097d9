// RFC 9112, section 9: how long a connection lasts. RFC 9110, sections 7.6.1, 7.8 and 9.3.2: Connection, Upgrade, HEAD.

import { get, head, kept, last, post } from '../requests.mjs';
import { tokens } from '../responses.mjs';

export const kind = 'http';
const EVERY_WAY = ['plain', 'tls', 'haproxy', 'nginx'];

const says = (option) => (responses) => (tokens(responses.at(-1)?.fields.get('connection')).includes(option) ? undefined
  : `Connection: ${option} is not in the answer`);

function ending(server) {
  const list = [];
  const add = (name, section, send, must, more) => list.push({ name, section, send, must, ...more });
  for (const lines of [['Connection: close'], ['connection: close'], ['Connection: Close'], ['Connection: CLOSE'],
    ['Connection:close'], ['Connection: close, x'], ['Connection: x, close'], ['Connection: x,close,y'],
    ['Connection: keep-alive, close'],
    ['Connection: close, keep-alive'], ['Connection: x', 'Connection: close'],
    ['Connection: close', 'Connection: x'], ['Connection: \tclose'], ['Connection: , close']]) {
    // 9.6: the server MUST initiate the closure and MUST NOT process further requests.
    add(`${lines.join(' and ')}`, '9112 9.6', get(server, ...lines), last(200),
      { sentinel: false, check: says('close'), ways: EVERY_WAY });
    // node answers what is behind by 400, without the answer that is due.
    add(`${lines.join(' and ')}, a request behind it`, '9112 9.6', get(server, ...lines) + get(server),
      last(200, 400), { sentinel: false, should: last(200) });
  }
  // node takes no tab behind it, and what is behind Proxy-Connection for an option.
  add('Connection: close with a tab behind it', '9110 5.5', get(server, 'Connection: close\t') + get(server),
    ['200', '400', '200 200 200', '200 200'], { should: last(200) });
  add('Proxy-Connection: close', '9112 C.2.2', get(server, 'Proxy-Connection: close'), [...kept(200), '400'],
    { should: kept(200) });
  for (const line of ['Connection: closed', 'Connection: x', 'Connection: keep-alive', 'Connection: Keep-Alive',
    'Connection:', 'Connection: ,', 'Connection: clos', 'Connection: x-close', 'Connection: "close"',
    'Keep-Alive: timeout=5',
    'Connection: Host', 'Connection: Content-Length', 'X-Connection: close', 'Connection: te', 'Connection: x, y, z'])
    add(line, '9112 9.3', get(server, line), kept(200));
  const http10 = (...lines) => head(`GET ${server.get} HTTP/1.0`, [`Host: ${server.host}`, ...lines]);
  add('HTTP/1.0', '9112 9.3', http10(), last(200), { sentinel: false });
  add('HTTP/1.0 with Connection: close', '9112 9.3', http10('Connection: close'), last(200), { sentinel: false });
  add('HTTP/1.0, a request behind it', '9112 9.3', http10() + get(server), last(200, 400),
    { sentinel: false, should: last(200) });
  add('HTTP/1.0 with Connection: keep-alive', '9112 9.3', http10('Connection: keep-alive'), kept(200));
  add('HTTP/1.0 with Connection: keep-alive, close', '9112 9.3',
    http10('Connection: keep-alive, close') + get(server), ['200', '400', '200 200', '200 200 200'],
    { should: last(200) });
  add('HTTP/1.0, the answer in chunks', '9112 6.1', http10(), last(200), { sentinel: false,
    check: ([response]) => (response.fields.has('transfer-encoding') ? 'Transfer-Encoding in an answer to HTTP/1.0'
      : undefined) });
  add('HTTP/1.0 HEAD', '9110 9.3.2', http10().replace('GET', 'HEAD'), last(200),
    { methods: ['HEAD'], sentinel: false });
  // A connection that the server ends is announced (9.6, SHOULD): kept, or told.
  add('the end is announced', '9112 9.6', get(server), kept(200),
    { ways: EVERY_WAY, check: (responses) => (responses.length === 2 ? undefined : says('close')(responses)) });
  return list;
}

function upgrades(server) {
  const list = [];
  const add = (name, section, lines, must, more) =>
    list.push({ name, section, send: get(server, ...lines), must, ...more });
  // A server MAY ignore an Upgrade (9110 7.8). 101 would not be among these.
  const ignored = [...kept(200, 400, 403, 404, 426, 501), 'closed'];
  for (const protocol of ['foo', 'h2c', 'HTTP/2.0', 'TLS/1.0', 'foo, bar', 'foo/1, websockets/2'])
    add(`Upgrade: ${protocol}`, '9110 7.8', ['Connection: upgrade', `Upgrade: ${protocol}`], ignored,
      { should: kept(200) });
  add('Upgrade: h2c with settings', '7540 3.2', ['Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c',
    'HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA'], ignored, { should: kept(200) });
  add('Upgrade without Connection', '9110 7.8', ['Upgrade: foo'], ignored, { should: kept(200) });
  add('Connection: upgrade without Upgrade', '9110 7.8', ['Connection: upgrade'], ignored, { should: kept(200) });
  add('TE: trailers', '9110 10.1.4', ['TE: trailers', 'Connection: te'], kept(200));
  return list;
}

const same = (name) => ([one, two]) => (one.fields.get(name) === two.fields.get(name) ? undefined
  : `another ${name}: ${one.fields.get(name)}, ${two.fields.get(name)}`);

function heads(server) {
  const list = [];
  const both = (path) => head(`HEAD ${path} HTTP/1.1`, [`Host: ${server.host}`]) + head(`GET ${path} HTTP/1.1`,
    [`Host: ${server.host}`, 'Connection: close']);
  for (const [path, status] of [[server.get, 200], ['/', 200], [server.missing, 404]])
    for (const name of ['content-length', 'content-type'])
      list.push({ name: `HEAD and GET ${path} have the same ${name}`, section: '9110 9.3.2', methods: ['HEAD'],
        sentinel: false, send: both(path), must: [`${status} ${status}`, `${status}`],
        check: (responses) => (responses.length === 2 ? same(name)(responses) : undefined) });
  for (const path of [server.get, '/', server.missing])
    list.push({ name: `five times HEAD ${path}`, section: '9110 9.3.2', methods: Array(5).fill('HEAD'),
      send: head(`HEAD ${path} HTTP/1.1`, [`Host: ${server.host}`]).repeat(5),
      must: Array.from({ length: 5 }, (_, i) => Array(i + 1).fill(path === server.missing ? 404
        : 200).join(' ')).concat(`${Array(5).fill(path === server.missing ? 404 : 200).join(' ')} 200`) });
  return list;
}

// An answer to HEAD has no body, whatever it tells.
function refusedHeads(server) {
  const line = (target, version, ...lines) => head(`HEAD ${target} ${version}`, lines);
  const host = `Host: ${server.host}`;
  return [['without Host', line(server.get, 'HTTP/1.1'), last(400)],
    ['with a bad length', line(server.get, 'HTTP/1.1', host, 'Content-Length: x'), last(400)],
    ['with a bad field', line(server.get, 'HTTP/1.1', host, 'X : y'), last(400)],
    ['in HTTP/2.1', line(server.get, 'HTTP/2.1', host), last(400, 505)],
    ['of a long target', line(`${server.get}?${'x'.repeat(20000)}`, 'HTTP/1.1', host),
    [...last(400, 414, 431), ...kept(200)]],
    ['of a path not decoded', line('/%zz', 'HTTP/1.1', host), kept(400, 404)],
    ['of what takes POST alone', line(server.post, 'HTTP/1.1', host), kept(200, 400, 405)],
    ['that expects something', line(server.get, 'HTTP/1.1', host, 'Expect: x'), kept(200, 417)]]
    .map(([what, send, must]) => ({ name: `HEAD ${what}`, section: '9110 9.3.2', methods: ['HEAD'], send, must }));
}

const DATE = /^(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d{4} \d\d:\d\d:\d\d GMT$/;

// 6.6.1: an origin server with a clock MUST send a Date in 2xx, 3xx and 4xx.
function dates(server) {
  const line = (text, ...lines) => head(text, [`Host: ${server.host}`, 'Connection: close', ...lines]);
  return [[200, line(`GET ${server.get} HTTP/1.1`)], [200, line('GET / HTTP/1.1')],
    [404, line(`GET ${server.missing} HTTP/1.1`)], [405, line(`PUT ${server.get} HTTP/1.1`)],
    [server.posted, post(server, [`Content-Length: ${server.body.length}`, 'Connection: close'], server.body)]]
    .map(([status, send]) => ({ name: `the Date of ${send.slice(0, send.indexOf(' HTTP'))}`, section: '9110 6.6.1',
      send, sentinel: false, must: [`${status}`],
      check: ([{ fields }]) => (DATE.test(fields.get('date')) ? undefined : `Date: ${fields.get('date')}`) }));
}

export const cases = (server) => [...dates(server), ...refusedHeads(server), ...ending(server),
  ...upgrades(server), ...heads(server)];
