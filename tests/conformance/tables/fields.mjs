// RFC 9112, sections 2.2, 3.2 and 5: Host, the syntax of field lines, line ends. RFC 9110, section 5.

import { cut } from '../connection.mjs';
import { get, head, kept, last, overrun } from '../requests.mjs';

export const kind = 'http';
const hexadecimal = (code) => `0x${code.toString(16).padStart(2, '0')}`;
const KNOWN = ['Host', 'Connection', 'Content-Length', 'Content-Type', 'Transfer-Encoding', 'Expect', 'Upgrade',
  'Authorization', 'Origin',
  'Sec-WebSocket-Key', 'Sec-WebSocket-Version', 'Sec-WebSocket-Extensions', 'Sec-WebSocket-Protocol',
  'Idempotency-Key', 'X-Forwarded-For'];
const SEPARATORS = [...'"(),/;<=>?@[\\]{}'];

// Each line beside a good Host.
const beside = (server, section) => {
  const list = [];
  const add = (name, lines, must, should) => list.push({ name, section, send: get(server, ...[lines].flat()), must,
    should });
  return { list, add };
};

function hosts(server) {
  const list = [];
  const add = (name, section, lines, must, should) =>
    list.push({ name, section, send: head(`GET ${server.get} HTTP/1.1`, lines), must, should });
  add('no Host', '9112 3.2', [], last(400));
  add('no Host beside other fields', '9112 3.2', ['X: y', 'Accept: */*'], last(400));
  add('no Host, and a body announced', '9112 3.2', ['Content-Length: 5'], last(400));
  add('no Host, and a chunked body announced', '9112 3.2', ['Transfer-Encoding: chunked'], last(400));
  add('Host in the name of another field', '9112 3.2', ['X-Host: x', 'Hos: x', 'Hostt: x'], last(400));
  // 3.2: 400 for more than one, and for an invalid value. node takes these, the last ones excepted.
  for (const two of [[server.host, server.host], [server.host, 'other.example'], ['other.example', server.host],
    [server.host, ''], ['', server.host]])
    add(`two of Host, ${JSON.stringify(two).replaceAll(server.host, 'HOST')}`, '9112 3.2',
      two.map((one) => `Host: ${one}`),
      [...kept(200, 421), '400'], last(400));
  add('two of Host in different case', '9112 3.2', [`Host: ${server.host}`, `hOST: ${server.host}`],
    [...kept(200), '400'], last(400));
  add('three of Host', '9112 3.2', Array(3).fill(`Host: ${server.host}`), [...kept(200), '400'], last(400));
  for (const value of ['a b', 'a\tb', 'a/b', '/', 'a?b', 'a#b', 'user@host', 'a:b', 'a:80:80', 'a:80x',
    'a:-1', '[::1', '::1', '[::1]x', '[]', '[x]', '"a"', 'a<b', 'a\\b', '%', '%zz', 'http://a',
    'a\x80', '{a}'])
    add(`Host: ${JSON.stringify(value)}`, '9112 3.2', [`Host: ${value}`], [...kept(200, 421), '400'], last(400));
  for (const value of ['', 'localhost', 'LocalHost', 'localhost:', 'localhost:1', '127.0.0.1', '127.0.0.1:65535',
    '[::1]', '[::1]:80', '[2001:db8::1]:80', 'a-b.example', 'a_b', 'xn--bcher-kva.example', 'a.', '%61', 'a,b', ':',
    'a!$&\'()*+,;=~b'])
    add(`Host: ${JSON.stringify(value)}`, '9112 3.2', [`Host: ${value}`],
      [...kept(200, 421), ...(value === '' || /[%!,]|^:/.test(value) ? last(400) : [])]);
  for (const line of ['HOST: ', 'hOsT: ', 'host:', 'Host:\t', 'Host: \t  '])
    add(`${JSON.stringify(line)} and the host`, '9110 5.1', [line + server.host], kept(200));
  for (const end of [' ', '\t', ' \t ']) add(`Host with ${JSON.stringify(end)} behind it`, '9112 5.1',
    [`Host: ${server.host}${end}`], kept(200));
  add('Host last of many', '9112 3.2', [...Array(20).fill('X: y'), `Host: ${server.host}`], kept(200));
  for (const line of ['Host : ', 'Host\t: ', ' Host: ', '\tHost: ']) add(`${JSON.stringify(line)} and the host`,
    '9112 5.1', [line + server.host], last(400));
  list.push({ name: 'HTTP/1.0 without Host', section: '9112 3.2', sentinel: false,
    send: head(`GET ${server.get} HTTP/1.0`), must: last(200) });
  return list;
}

// 5.1: "A server MUST reject [...] any received request message that contains whitespace between a header field
// name and colon." 5: other lines that are none.
function names(server) {
  const { list, add } = beside(server, '9112 5.1');
  for (const name of [...KNOWN, 'X'])
    for (const space of [' ', '\t', '  ']) add(`${name}${JSON.stringify(space)}before the colon`,
      `${name}${space}: 5`, last(400));
  for (const sign of SEPARATORS) {
    add(`${sign} in a field name`, `X${sign}Y: b`, last(400));
    add(`${sign} as a field name`, `${sign}: b`, last(400));
  }
  for (let code = 0; code < 256; code = code === 32 ? 127 : code === 127 ? 128 : code < 32 ? code + 1 : code + 16)
    if (code !== 10 && code !== 13) add(`${hexadecimal(code)} in a field name`,
      `X${String.fromCharCode(code)}Y: b`, last(400));
  add('an empty field name', ': b', last(400));
  add('a colon alone', ':', last(400));
  for (const line of ['X', 'a word', 'GET / HTTP/1.1', 'Content-Length', '=', '%',
    '\x01']) add(`no colon, ${JSON.stringify(line)}`, line, last(400));
  for (const name of ['!#$%&\'*+-.^_`|~', '0', '123', 'X_Y', 'X.Y', '-', '_']) add(`the field name ${name}`,
    `${name}: b`, kept(200));
  for (const size of [100, 1000, 4000]) add(`a field name of ${size} letters`, `${'n'.repeat(size)}: b`,
    [...kept(200), ...last(400, 431)], kept(200));
  return list;
}

// Each beginning of a known name, and what follows it, is another name.
function beginnings(server) {
  const { list, add } = beside(server, '9110 5.1');
  const all = new Set(KNOWN.flatMap((name) => Array.from({ length: name.length - 1 }, (_, i) =>
    name.slice(0, i + 1)).concat(`${name}s`, `${name}-`, `${name}-X`)));
  for (const name of [...all].filter((one) => !KNOWN.includes(one))) add(`a field ${name}`, `${name}: b`, kept(200));
  add('all of them', [...all].filter((one) => !KNOWN.includes(one)).slice(0, 60).map((name) => `${name}: b`),
    kept(200));
  return list;
}

function values(server) {
  const { list, add } = beside(server, '9110 5.5');
  for (const value of ['', ' ', '\t', ' \t ', 'b', ' b', 'b ', '\tb\t', 'a b', 'a\tb', ':', 'a:b', ',', '"', '"a',
    '\\', '%', '()', 'é'.repeat(20)])
    add(`the value ${JSON.stringify(value)}`, `X:${Buffer.from(value).toString('latin1')}`, kept(200));
  // NUL, CR and LF: reject, or take for a space; other controls: invalid, too. node rejects all.
  for (let code = 0; code < 32; code++)
    if (code !== 9 && code !== 10 && code !== 13) {
      const should = last(400);
      const must = [...kept(200), '400'];
      add(`${hexadecimal(code)} in a value`, `X: a${String.fromCharCode(code)}b`, code === 0 ? last(400) : must,
        should);
      add(`${hexadecimal(code)} before a value`, `X:${String.fromCharCode(code)}b`, code === 0 ? last(400) : must,
        should);
    }
  add('0x7f in a value', 'X: a\x7fb', [...kept(200), '400'], last(400));
  for (const code of [128, 160, 195, 233, 254, 255]) add(`${hexadecimal(code)} in a value`,
    `X: a${String.fromCharCode(code)}b`, [...kept(200), '400'], kept(200));
  for (const size of [1000, 3000, 4000]) add(`a value of ${size} bytes`, `X: ${'v'.repeat(size)}`,
    [...kept(200), ...last(431)], kept(200));
  for (const size of [5000, 8000, 12000]) add(`a value of ${size} bytes`, `X: ${'v'.repeat(size)}`,
    [...kept(200), ...last(431)]);
  for (const size of [16385, 20000, 65536, 100000, 200000])
    add(`a value of ${size} bytes`, `X: ${'v'.repeat(size)}`,
      [...last(431, 400), ...kept(200), ...(size > 20000 ? ['closed'] : [])], [...last(431), ...kept(200)]);
  for (const count of [50, 100]) add(`${count} fields`, Array.from({ length: count }, (_, i) => `X-${i}: b`),
    [...kept(200), ...last(431)], kept(200));
  for (const count of [500, 1000, 2000, 10000]) add(`${count} fields`, Array(count).fill('X: b'),
    [...kept(200), ...last(431, 400), ...(count > 2000 ? ['closed'] : [])], [...kept(200), ...last(431, 400)]);
  list.push({ name: 'a head without end', section: '9110 5.4', sentinel: false, ...overrun(431),
    send: [`GET ${server.get} HTTP/1.1\r\nHost: ${server.host}\r\n`,
      ...Array.from({ length: 20 }, (_, i) => `X-${i}: ${'v'.repeat(10000)}\r\n`)] });
  add('a field twice', ['X: a', 'X: b'], kept(200));
  add('all that a browser sends', ['User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko)', 'Accept: text/html,*/*;q=0.8',
    'Accept-Encoding: gzip, deflate, br', 'Accept-Language: en-US,en;q=0.5', 'Cache-Control: no-cache',
    'Cookie: a=b; c="d"', 'DNT: 1', 'Referer: http://localhost/', 'Sec-Fetch-Mode: navigate',
    'If-None-Match: W/"x"', 'If-Modified-Since: Sat, 29 Oct 1994 19:43:31 GMT', 'TE: trailers', 'Priority: u=0, i',
    'Range: bytes=0-'], kept(200));
  return list;
}

// 5.2: obs-fold: 400, or taken for spaces. 2.2: whitespace before the first field.
function folds(server) {
  const list = [];
  const add = (name, section, lines, must, should) =>
    list.push({ name, section, send: head(`GET ${server.get} HTTP/1.1`, lines), must, should });
  const host = `Host: ${server.host}`;
  for (const space of [' ', '\t', '   ', ' \t'])
    for (const folded of [`X: a\r\n${space}b`, `X:\r\n${space}b`, `X: a\r\n${space}`, `X: a\r\n${space}b\r\n${space}c`])
      add(`a folded line ${JSON.stringify(folded)}`, '9112 5.2', [host, folded], [...kept(200), '400'], last(400));
  for (const name of ['Accept', 'Accept-Language', 'Cookie', 'User-Agent', 'Referer', 'Origin', 'Authorization',
    'Content-Type', 'Pragma', 'Cache-Control', 'X-Forwarded-For', 'Sec-Fetch-Mode', 'A'])
    for (const folded of ['a\r\n b', '\r\n b', 'a,\r\n\tb'])
      add(`${name}: ${JSON.stringify(folded)}`, '9112 5.2', [host, `${name}: ${folded}`],
        [...kept(200, 403), '400'], last(400));
  add('Host folded', '9112 5.2', [`Host:\r\n ${server.host}`], [...kept(200), '400'], last(400));
  for (const space of [' ', '\t', ' \t ']) {
    add(`${JSON.stringify(space)} before the first field`, '9112 2.2', [`${space}X: b`, host],
      [...kept(200), '400'], last(400));
    add(`${JSON.stringify(space)} before Host, which is first`, '9112 2.2', [space + host], last(400));
    add(`a line of ${JSON.stringify(space)} first`, '9112 2.2', [space, host], [...kept(200), '400'], last(400));
    add(`a line of ${JSON.stringify(space)} last`, '9112 5.2', [host, space], [...kept(200), '400'], last(400));
  }
  return list;
}

// 2.2: a line MAY end with LF alone; CR alone is invalid or a space.
function lineEnds(server) {
  const list = [];
  const line = `GET ${server.get} HTTP/1.1`;
  const host = `Host: ${server.host}`;
  const add = (name, send, must = last(400), should) => list.push({ name, section: '9112 2.2', send, must, should });
  const lenient = [...kept(200), '400'];
  add('LF alone everywhere', `${line}\n${host}\n\n`, lenient, last(400));
  add('LF alone behind the request line', `${line}\n${host}\r\n\r\n`, lenient, last(400));
  add('LF alone behind a field', `${line}\r\n${host}\nX: b\r\n\r\n`, lenient, last(400));
  add('LF alone behind the last field', `${line}\r\n${host}\n\r\n`, lenient, last(400));
  add('LF alone as the empty line', `${line}\r\n${host}\r\n\n`, lenient, last(400));
  add('LF alone within a value', `${line}\r\n${host}\r\nX: a\nb\r\n\r\n`);
  add('a field behind LF alone', `${line}\r\nX: a\n${host}\r\n\r\n`, lenient, last(400));
  add('LF LF within the fields', `${line}\r\n${host}\r\nX: a\n\nGET /smuggled HTTP/1.1\r\n\r\n`,
    ['400', '200', '200 404 200', '200 400', '200 404', '200 421'], last(400));
  add('CR alone behind the request line', `${line}\r${host}\r\n\r\n`);
  add('CR alone everywhere', `${line}\r${host}\r\r`, last(400));
  add('CR alone behind a field', `${line}\r\n${host}\r\n${'X: a'}\rY: b\r\n\r\n`, lenient, last(400));
  add('CR alone within a value', `${line}\r\n${host}\r\nX: a\rb\r\n\r\n`, lenient, last(400));
  add('CR alone before a value', `${line}\r\n${host}\r\nX:\rb\r\n\r\n`, lenient, last(400));
  add('CR alone at the end of a value', `${line}\r\n${host}\r\nX: a\r\r\n\r\n`, lenient, last(400));
  add('CR alone before a name', `${line}\r\n${host}\r\n\rX: b\r\n\r\n`);
  add('CR alone before the empty line', `${line}\r\n${host}\r\n\r\r\n\r\n`);
  add('CR alone in a name', `${line}\r\n${host}\r\nX\rY: a\r\n\r\n`);
  add('CR alone in the target', `GET ${server.get}\rx HTTP/1.1\r\n${host}\r\n\r\n`);
  add('LF alone in the target', `GET ${server.get}\nx HTTP/1.1\r\n${host}\r\n\r\n`, [...last(400, 505)]);
  add('CR CR LF as the empty line', `${line}\r\n${host}\r\n\r\r\n`, lenient, last(400));
  add('LF CR', `${line}\n\r${host}\n\r\n\r`, last(400));
  add('CR and LF in two packets', cut(get(server), line.length + 1), kept(200));
  return list;
}

export const cases = (server) => [...hosts(server), ...names(server), ...beginnings(server), ...values(server),
  ...folds(server), ...lineEnds(server)];
