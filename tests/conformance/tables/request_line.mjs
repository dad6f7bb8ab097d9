// RFC 9112, sections 2.3 and 3: the request line. RFC 9110, sections 2.5, 7 and 9: versions, targets, methods.

import { cut, oneByOne } from '../connection.mjs';
import { get, head, kept, last } from '../requests.mjs';

export const kind = 'http';
const CONTROLS = [...Array.from({ length: 32 }, (_, i) => i).filter((code) => code !== 10 && code !== 13), 127];
const SEPARATORS = [...'"(),/:;<=>?@[\\]{}'];
const hexadecimal = (code) => `0x${code.toString(16).padStart(2, '0')}`;

function methods(server) {
  const list = [];
  const lines = [`Host: ${server.host}`];
  const add = (name, section, method, must, more) =>
    list.push({ name, section, send: head(`${method} ${server.get} HTTP/1.1`, lines), must, ...more });
  add('GET', '9110 9.3.1', 'GET', kept(200), { ways: ['plain', 'tls', 'haproxy', 'nginx'] });
  add('HEAD', '9110 9.3.2', 'HEAD', kept(200), { methods: ['HEAD'], ways: ['plain', 'tls', 'haproxy', 'nginx'] });
  for (const method of ['PUT', 'DELETE', 'PATCH', 'PROPFIND']) add(method, '9110 9.1', method, kept(405, 501));
  add('TRACE', '9110 9.3.8', 'TRACE', kept(405, 501, 400));
  add('OPTIONS', '9110 9.3.7', 'OPTIONS', kept(200, 204, 405, 501));
  for (const method of ['BREW', 'X', 'G', 'GE', 'GETS', 'get', 'Get', 'gET', 'post', 'head', 'XGET', 'M-SEARCHES',
    '!#$%&\'*+-.^_`|~', 'G3T'])
    add(`method ${method}`, '9110 9.1', method, kept(501, 405, 400));
  for (const size of [64, 1000, 5000]) add(`a method of ${size} letters`, '9112 3', 'M'.repeat(size),
    [...kept(501, 405, 400), ...last(414, 431)]);
  for (const sign of SEPARATORS) {
    add(`${sign} in the method`, '9110 5.6.2', `G${sign}T`, last(400, 501, 405));
    add(`${sign} before the method`, '9110 5.6.2', `${sign}GET`, last(400, 501, 405));
    add(`${sign} behind the method`, '9110 5.6.2', `GET${sign}`, last(400, 501, 405));
  }
  for (const code of [...CONTROLS, 128, 233, 255])
    add(`${hexadecimal(code)} in the method`, '9110 5.6.2', `G${String.fromCharCode(code)}T`, last(400, 501, 405));
  return list;
}

// CONNECT is not served, and is answered or ended, but not left waiting.
function connect(server) {
  return [`CONNECT ${server.host} HTTP/1.1`, 'CONNECT example.org:443 HTTP/1.1', `CONNECT ${server.get} HTTP/1.1`,
    'CONNECT * HTTP/1.1']
    .map((line) => ({ name: line.replace(server.host, 'HOST'), section: '9110 9.3.6',
      send: head(line, [`Host: ${server.host}`]),
      must: [...kept(400, 404, 405, 501), 'closed'], should: kept(400, 404, 405, 501) }));
}

function versions(server) {
  const list = [];
  const add = (version, must, should) => list.push({ name: `version ${JSON.stringify(version)}`,
    section: '9112 2.3', must, should,
    send: head(`GET ${server.get} ${version}`, [`Host: ${server.host}`]) });
  for (const version of ['XTTP/1.1', 'http/1.1', 'Http/1.1', 'HTTPS/1.1', 'HTTP1.1', 'HTTP/', 'HTTP', 'HTTP/1',
    'HTTP/1.', 'HTTP/.1', 'HTTP/1,1',
    'HTTP/1.1.1', 'HTTP/11', 'HTTP/11.1', 'HTTP/1.10', 'HTTP/01.1', 'HTTP/1.01', 'HTTP/1.x', 'HTTP/x.1',
    'HTTP/-1.1', 'HTTP/+1.1', 'HTTP/ 1.1',
    'HTTP /1.1', 'HTTP/1 .1', 'HTTP/1. 1', '/1.1', '1.1', 'ICE/1.0x', 'HTTP/1.1x', 'xHTTP/1.1', 'HTTP\\1.1',
    'HTTP//1.1', 'HTTP/1.\xb2', 'HTTP/1.1 x',
    'HTTP/1.1 HTTP/1.1', 'HTTP/99999999999.1']) add(version, last(400, 505), undefined);
  // node takes the first two, and the draft's.
  for (const version of ['HTTP/2.0', 'HTTP/0.9']) add(version, [...kept(200), ...last(400, 505, 426)],
    last(505, 400, 426));
  for (const version of ['HTTP/2.1', 'HTTP/3.0', 'HTTP/9.9', 'HTTP/0.0']) add(version, last(400, 505, 426),
    version === 'HTTP/0.0' ? undefined : last(505));
  for (const version of ['HTTP/1.2', 'HTTP/1.9']) add(version, [...kept(200), ...last(400, 505)], undefined);
  list.push({ name: 'HTTP/0.9, a line without a version', section: '9112 2.3', send: `GET ${server.get}\r\n\r\n`,
    must: [...last(400, 505), 'closed'], should: last(400, 505) });
  list.push({ name: 'the preface of HTTP/2', section: '9112 2.3', send: 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
    must: [...last(400, 405, 501, 505), 'closed'], should: last(400, 405, 501, 505) });
  return list;
}

// Invalid request lines: 3, "SHOULD respond with either a 400 or a 301"; node says 400.
function spaces(server) {
  const list = [];
  const host = [`Host: ${server.host}`];
  const add = (name, line, must = last(400), should) =>
    list.push({ name, section: '9112 3', send: head(line, host), must, should });
  const path = server.get;
  // Whitespace-delimited words MAY be accepted.
  const lenient = [...kept(200), '400'];
  add('two spaces before the target', `GET  ${path} HTTP/1.1`, lenient, last(400));
  add('two spaces before the version', `GET ${path}  HTTP/1.1`, lenient, last(400));
  add('a space behind the version', `GET ${path} HTTP/1.1 `, lenient, last(400));
  add('a tab before the target', `GET\t${path} HTTP/1.1`, lenient, last(400));
  add('a tab before the version', `GET ${path}\tHTTP/1.1`, lenient, last(400));
  add('a space before the method', ` GET ${path} HTTP/1.1`, lenient, last(400));
  add('a tab before the method', `\tGET ${path} HTTP/1.1`, lenient, last(400));
  add('a word before the method', `x GET ${path} HTTP/1.1`, last(400, 501));
  add('words before the method', `some wordsGET ${path} HTTP/1.1`, last(400, 501));
  for (const target of ['/a b', `${path} x`, '/a b c', '/ ', `${path}?a b`, `${path}?a=1 &b`, '/\tx',
    ` ${path} ${path}`])
    add(`a space in the target ${JSON.stringify(target)}`, `GET ${target} HTTP/1.1`,
      target.startsWith(' ') || target === '/ ' ? ['400', ...kept(200)] : last(400),
      last(400));
  add('no target', 'GET HTTP/1.1');
  add('an empty target', 'GET  HTTP/1.1');
  for (const end of ['', ' ', '  ', '\t']) add(`a target, ${JSON.stringify(end)} and no version`,
    `GET ${path}${end}`, [...last(400, 505), ...kept(200)],
    last(400, 505)); // node takes the first for HTTP/0.9
  add('a method alone', 'GET');
  add('words only', 'hello');
  add('a field in place of the line', 'Host: x');
  add('a line of signs', '\x01\x02\x03\x04');
  for (const before of ['\r\n', '\r\n\r\n']) // 2.2: SHOULD ignore at least one
    list.push({ name: `${before.length / 2} empty lines before the request line`, section: '9112 2.2',
      send: before + get(server),
      must: [...kept(200), '400'], should: before.length === 2 ? kept(200) : undefined });
  for (const before of ['\0', 'x\r\n', ': \r\n', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n'])
    list.push({ name: `${JSON.stringify(before)} before the request line`, section: '9112 2.2',
      send: before + get(server), must: [...last(400, 501, 405), 'closed'],
      should: last(400, 501, 405) });
  return list;
}

function targets(server) {
  const list = [];
  const add = (name, section, target, must, should, { method = 'GET', host = server.host } = {}) =>
    list.push({ name, section, send: head(`${method} ${target} HTTP/1.1`, [`Host: ${host}`]), must, should });
  const { get: path, host } = server;
  for (const scheme of ['http', 'HTTP', 'Http']) add(`absolute form, ${scheme}`, '9112 3.2.2',
    `${scheme}://${host}${path}`, kept(200));
  add('absolute form, HOST in upper case', '9112 3.2.2', `http://LOCALHOST${path}`, kept(200, 421));
  add('absolute form without a path', '9112 3.2.2', `http://${host}`, kept(200));
  add('absolute form without a path, with a query', '9112 3.2.2', `http://${host}?x`, kept(200));
  add('absolute form with a query', '9112 3.2.2', `http://${host}${path}?x=1`, kept(200));
  add('absolute form of an unknown path', '9112 3.2.2', `http://${host}${server.missing}`, kept(404));
  add('absolute form, another Host', '9112 3.2.2', `http://${host}${path}`, [...kept(200), '400'], kept(200),
    { host: 'other.example' });
  add('absolute form, an empty Host', '9112 3.2.2', `http://${host}${path}`, [...kept(200), '400'], undefined,
    { host: '' });
  add('absolute form of another host', '9112 3.2.2', `http://other.example${path}`, kept(200, 421, 400, 404));
  add('absolute form with a user', '9110 4.2.4', `http://user:word@${host}${path}`, kept(200, 400));
  add('absolute form of https', '9112 3.2.2', `https://${host}${path}`, kept(200, 400, 421));
  for (const target of [`ftp://${host}${path}`, `x:${path}`, 'mailto:a@b', `//${host}${path}`, `ws://${host}${path}`])
    add(`the target ${target.replace(host, 'HOST')}`, '9112 3.2.2', target, kept(200, 400, 404, 421));
  for (const target of [`http://${path}`, 'http://', 'http:///', `http:${path}`, 'http:/'])
    add(`an absolute form without a host, ${target}`, '9110 4.2.1', target, kept(400, 404, 421));
  add('an absolute form of an empty host and a port', '9110 4.2.1', `http://:80${path}`, kept(200, 400, 404, 421),
    kept(400, 404, 421));
  for (const target of ['*', host, 'example.org:443', 'healthz', 'x', '?', '?a', '#', '%', '.', '../', '\\', '&'])
    add(`GET ${target.replace(host, 'HOST')}`, '9112 3.2', target, kept(400, 404));
  add('OPTIONS *', '9112 3.2.4', '*', kept(200, 204, 405, 501, 400), kept(200, 204, 405, 501), { method: 'OPTIONS' });
  add('OPTIONS of a host without a path', '9112 3.2.4', `http://${host}`, kept(200, 204, 405, 501), undefined,
    { method: 'OPTIONS' });
  for (const code of CONTROLS) {
    const sign = String.fromCharCode(code);
    for (const [where, target] of [['path', `/a${sign}b`], ['query', `${path}?a${sign}b`]])
      add(`${hexadecimal(code)} in the ${where}`, '9112 3', target, last(400));
  }
  for (const code of [128, 195, 233, 255]) add(`${hexadecimal(code)} in the query`, '9112 3',
    `${path}?a${String.fromCharCode(code)}b`, kept(200, 400));
  for (const sign of '"<>\\^`{|}#') add(`${sign} in the query`, '3986 3.4', `${path}?a${sign}b`, kept(200, 400));
  return list;
}

// However a path is spelled, it is answered, as the same resource, as none, or refused.
function spellings(server) {
  const list = [];
  const add = (name, section, target, must) => list.push({ name, section,
    send: head(`GET ${target} HTTP/1.1`, [`Host: ${server.host}`]), must });
  const { get: path } = server;
  const name = path.slice(1);
  const coded = (upper) => `/${Array.from(name, (sign) => { const hex = sign.charCodeAt(0).toString(16); return `%${upper ? hex.toUpperCase() : hex}`; }).join('')}`;
  for (const target of [coded(false), coded(true), `/%${name.charCodeAt(0).toString(16)}${name.slice(1)}`,
    `/.${path}`, `/x/..${path}`, `/x/%2e%2e${path}`, `/x/.%2E${path}`,
    `/..${path}`, `/../..${path}`, `/${path}`, `//${path}`, `${path}/`, `${path}/.`, `${path}/x/..`, `/%2f${name}`,
    `/%2F${name}`, `${path}%20`, `${path};x`, `${path}%3fx`,
    `/%2e${path}`, `/%252e%252e${path}`, `${path}%23x`, `/x%2f..${path}`, `${path.toUpperCase()}`,
    `/a/b/c/../../..${path}`, `/./././${name}`, `${path}//`, `/${'../'.repeat(100)}${name}`,
    '/.', '/..', '/%2e', '/%2e%2e', '/...', '/x/..', '/x/.', '//', '///'])
    add(`the path ${target.slice(0, 40)}`, '3986 6.2.2', target, kept(200, 404, 400));
  for (const bad of ['%', '%4', '%zz', '%4z', '%z4', '%%', '%%41', '% 41', '%00', 'x%00y', '%u0041', '%-1', '%+1',
    '%c0%af', '%ff', '%c3%28', '%ed%a0%80', '%0a', '%0d%0a', '%7f'])
    if (!bad.includes(' ')) {
      add(`the path /${bad}`, '3986 2.1', `/${bad}`, kept(400, 404));
      add(`${bad} in a query`, '3986 2.1', `${path}?a=${bad}`, kept(200, 400));
    }
  for (const query of ['?', '?a', '?a=b', '?a=b&a=c', '?&', '?=', '??', '?a?b', '?/', '?a=/../', '?%41=%42',
    '?a;b', '?a+b', '?[]', '?%', '?a=b#c'])
    add(`the query ${query}`, '3986 3.4', path + query, query.includes('%') || query.includes('#') ? kept(200, 400)
      : kept(200));
  return list;
}

// 3: a target too long is 414; a server should take 8,000 bytes of a request line.
function sizes(server) {
  const list = [];
  const add = (name, target, must, should) => list.push({ name, section: '9112 3',
    send: head(`GET ${target} HTTP/1.1`, [`Host: ${server.host}`]), must, should });
  for (const size of [100, 1000, 2000, 4000, 7900])
    add(`a query that makes the target ${size} bytes`, `${server.get}?${'x'.repeat(size - server.get.length - 1)}`,
      [...kept(200), ...last(414, 431)], kept(200));
  for (const size of [1000, 4000, 7900]) add(`a path of ${size} bytes`, `/${'x'.repeat(size - 1)}`,
    [...kept(404, 400), ...last(414, 431)], kept(404, 400));
  for (const size of [16000, 20000, 65536, 100000, 200000])
    add(`a target of ${size} bytes`, `${server.get}?${'x'.repeat(size)}`,
      [...last(414, 431, 400), ...kept(200), ...(size > 20000 ? ['closed'] : [])], [...last(414), ...kept(200)]);
  add('a path of 2,000 segments', `/${'a/'.repeat(2000)}`, [...kept(404, 400), ...last(414, 431)]);
  list.push({ name: 'a target without end', section: '9112 3',
    send: [`GET /${'x'.repeat(100000)}`, 'x'.repeat(100000)], sentinel: false, must: last(414, 431, 400, 'closed'),
    should: last(414) });
  return list;
}

function packets(server) {
  const bytes = get(server);
  const list = [{ name: 'a request byte by byte', section: '9112 2.1', send: oneByOne(bytes), must: kept(200),
    ways: ['plain', 'tls', 'haproxy', 'nginx'] }];
  for (let at = 1; at < bytes.length; at++)
    list.push({ name: `a request in packets of ${at} and the rest`, section: '9112 2.1', send: cut(bytes, at),
      must: kept(200) });
  return list;
}

export const cases = (server) => [...methods(server), ...connect(server), ...versions(server), ...spaces(server),
  ...targets(server), ...spellings(server),
  ...sizes(server), ...packets(server)];
