// RFC 9112, sections 6.1 and 7: Transfer-Encoding, chunked bodies, and what smuggles requests (11.2).

import { cut, halfClose, oneByOne } from '../connection.mjs';
import { chunked, chunks, get, head, kept, last, overrun, post, posted } from '../requests.mjs';

export const kind = 'http';
const TE = 'Transfer-Encoding: chunked';

const parts = (text, size) => Array.from({ length: Math.ceil(text.length / size) }, (_, i) =>
  text.slice(i * size, (i + 1) * size));
const raw = (server, body, lines = [TE]) => post(server, lines, body);

// 7.1: "A recipient MUST be able to parse and decode the chunked transfer coding."
function good(server) {
  const list = [];
  const { body, posted: ok } = server;
  const size = body.length.toString(16);
  const add = (name, section, send, must = kept(ok), should) => list.push({ name, section, send, must, should });
  add('a chunked body', '9112 7.1', chunked(server));
  for (let at = 1; at < body.length; at++) add(`two chunks, of ${at} bytes and the rest`, '9112 7.1',
    chunked(server, body.slice(0, at), body.slice(at)));
  for (const each of [1, 2, 3, 7, 15, 16, 17]) add(`chunks of ${each} bytes`, '9112 7.1',
    chunked(server, ...parts(body, each)));
  for (const name of ['Chunked', 'CHUNKED', ' chunked ',
    '\tchunked']) add(`Transfer-Encoding: ${JSON.stringify(name)}`, '9112 7',
    raw(server, `${chunks(body)}0\r\n\r\n`, [`Transfer-Encoding: ${name}`]));
  add('transfer-encoding in lower case', '9112 7',
    raw(server, `${chunks(body)}0\r\n\r\n`, ['transfer-encoding:chunked']));
  for (const written of [size, `0${size}`, `00000000${size}`]) add(`the chunk size ${written}`, '9112 7.1',
    raw(server, `${written}\r\n${body}\r\n0\r\n\r\n`));
  for (const zeros of ['00', '0000', '00000000000000000000']) add(`the last chunk ${zeros}`, '9112 7.1',
    raw(server, `${size}\r\n${body}\r\n${zeros}\r\n\r\n`), [...kept(ok), '400'], zeros.length < 10 ? kept(ok)
    : undefined);
  for (const digits of ['a', 'A', 'f', 'F', '10', '1f', '1F']) {
    const first = body.slice(0, parseInt(digits, 16));
    add(`the chunk size ${digits}`, '9112 7.1', raw(server,
      `${digits}\r\n${first}\r\n${chunks(body.slice(first.length))}0\r\n\r\n`));
  }
  for (const extension of [';a', ';a=b', ';a="b"', ';a;b=c', ';a="b;c"', ';a="b\\"c"', `;a=${'b'.repeat(100)}`])
    for (const [where, send] of [['a chunk', `${size}${extension}\r\n${body}\r\n0\r\n\r\n`],
      ['the last chunk', `${chunks(body)}0${extension}\r\n\r\n`]])
      add(`the extension ${extension.slice(0, 20)} of ${where}`, '9112 7.1.1', raw(server, send));
  for (const extension of [' ;a', '; a', ';a =b', ';a= b', ' ; a = b', ';', ';;', ';a=', ';=b', ';a="b'])
    add(`the extension ${JSON.stringify(extension)}`, '9112 7.1.1',
      raw(server, `${size}${extension}\r\n${body}\r\n0\r\n\r\n`), [...kept(ok), '400']);
  for (const trailers of [['X: a'], ['X: a', 'Y: b'], ['X:'], ['Content-Length: 5'],
    ['Transfer-Encoding: chunked'], ['Host: other.example'], ['Authorization: x'], ['Connection: close'],
    Array(20).fill('X: a')])
    add(`the trailers ${trailers.slice(0, 2)}, ${trailers.length} in all`, '9112 7.1.2',
      raw(server, `${chunks(body)}0\r\n${trailers.map((one) => `${one}\r\n`).join('')}\r\n`), [...kept(ok), '400'],
      /^(X|Auth)/.test(trailers[0]) ? kept(ok) : undefined);
  add('an empty chunked body', '9112 7.1', raw(server, '0\r\n\r\n'), kept(400, 411, 422));
  add('two chunked bodies', '9112 9.3.2', chunked(server) + chunked(server),
    [`${ok} ${ok} 200`, `${ok} ${ok}`, `${ok}`]);
  add('a chunked body, then one with a length', '9112 9.3.2', chunked(server) + posted(server),
    [`${ok} ${ok} 200`, `${ok} ${ok}`, `${ok}`]);
  add('a chunked body that looks like a request', '9112 7.1', chunked(server, get(server)), kept(...server.unfit));
  for (const method of ['GET', 'HEAD', 'DELETE', 'OPTIONS', 'PUT'])
    list.push({ name: `${method} with a chunked body`, section: '9112 6.1', methods: [method],
      must: [...kept(200, 204, 404, 405, 501), ...last(400, 413)],
      send: head(`${method} ${server.get} HTTP/1.1`,
        [`Host: ${server.host}`, TE]) + `${chunks(get(server))}0\r\n\r\n` });
  return list;
}

function packets(server) {
  const bytes = chunked(server, ...parts(server.body, 20));
  const from = bytes.indexOf('\r\n\r\n') - 3;
  const list = [{ name: 'a chunked body byte by byte', section: '9112 7.1', send: oneByOne(bytes),
    must: kept(server.posted) }];
  for (let at = from; at < bytes.length; at++)
    list.push({ name: `a chunked body in packets of ${at} and the rest`, section: '9112 7.1', send: cut(bytes, at),
      must: kept(server.posted) });
  return list;
}

// A body that is not chunked as it says is refused, and what is behind it is no request.
function malformed(server) {
  const list = [];
  const { body } = server;
  const size = body.length.toString(16);
  const add = (name, send, must = last(400), should) => list.push({ name, section: '9112 7.1', send, must, should });
  const end = `\r\n${body}\r\n0\r\n\r\n`;
  for (const bad of ['', 'g', 'x', '-1', `-${size}`, `+${size}`, `0x${size}`, `${size}h`, `${size}g`, `${size},`,
    `${size}:`, `"${size}"`, '\x00', `${size}\x00`, `\x0b${size}`, '1_0', '#', 'ten', '%31', '\xb2', '.', '0.',
    `${size}.0`, `${size} ${size}`])
    add(`the chunk size ${JSON.stringify(bad)}`, raw(server, bad + end));
  for (const bad of [` ${size}`, `\t${size}`, `${size} `,
    `${size}\t`]) add(`the chunk size ${JSON.stringify(bad)}`, raw(server, bad + end),
    [...last(400), ...kept(server.posted)], last(400));
  for (const bad of ['ffffffffffffffff', 'fffffffffffffffff', `1000000000000000${size}`, '7fffffffffffffff',
    '80000000', 'ffffffff', `100000000${size.padStart(2, '0')}`, 'f'.repeat(100), '1'.repeat(1000), '8000000000000000'])
    // node waits for what is announced, unless it cannot count it.
    add(`the chunk size ${bad.slice(0, 24)}, of ${bad.length} digits`, raw(server, bad + end),
      [...last(400, 413), ...(bad.length > 16 ? [] : ['silent'])], last(400, 413));
  add('no CRLF behind the data', raw(server, `${size}\r\n${body}0\r\n\r\n`));
  add('other bytes behind the data', raw(server, `${size}\r\n${body}xx0\r\n\r\n`));
  add('more data than is said', raw(server, `5\r\n${body}\r\n0\r\n\r\n`));
  add('less data than is said', raw(server, `${(body.length + 2).toString(16)}\r\n${body}\r\n0\r\n\r\n`));
  const lenient = [...last(400), ...kept(server.posted), ...kept(...server.unfit)];
  add('LF alone behind the size', raw(server, `${size}\n${body}\r\n0\r\n\r\n`), lenient, last(400));
  add('LF alone behind the data', raw(server, `${size}\r\n${body}\n0\r\n\r\n`), lenient, last(400));
  add('LF alone behind the last size', raw(server, `${size}\r\n${body}\r\n0\n\r\n`), lenient, last(400));
  add('LF alone at the end', raw(server, `${size}\r\n${body}\r\n0\r\n\n`), lenient, last(400));
  add('CR alone behind the size', raw(server, `${size}\r${body}\r\n0\r\n\r\n`));
  add('CR alone behind the data', raw(server, `${size}\r\n${body}\r0\r\n\r\n`));
  add('CR alone in an extension', raw(server, `${size};a\rb\r\n${body}\r\n0\r\n\r\n`));
  add('LF alone in an extension', raw(server, `${size};a\nb\r\n${body}\r\n0\r\n\r\n`));
  add('LF alone in an extension, the size twice', raw(server, `${size};\n${body}\r\n0\r\n\r\n`), lenient, last(400));
  add('NUL in an extension', raw(server, `${size};a\x00b\r\n${body}\r\n0\r\n\r\n`));
  for (const trailer of ['X', 'X : a', ' X: a', 'X: a\r\n b', ': a', 'X: a\x00b', 'X: a\rb', 'X\x01: a', 'a b: c'])
    add(`the trailer ${JSON.stringify(trailer)}`, raw(server, `${chunks(body)}0\r\n${trailer}\r\n\r\n`),
      trailer.includes('\n') || trailer.startsWith(' ') || /[\r]/.test(trailer)
      ? [...last(400), ...kept(server.posted)] : last(400), last(400));
  add('an extension of 100,000 bytes', raw(server, `${size};${'a'.repeat(100000)}\r\n${body}\r\n0\r\n\r\n`),
    ...Object.values(overrun(400, 413, 431)));
  add('20 chunks with extensions of 4,000 bytes', raw(server,
    `1;${'a'.repeat(4000)}\r\nx\r\n`.repeat(20) + '0\r\n\r\n'), [...last(400, 413, 431), ...kept(...server.unfit)]);
  add('trailers of 100,000 bytes', raw(server, `${chunks(body)}0\r\n${`X: ${'a'.repeat(1000)}\r\n`.repeat(100)}\r\n`), ...Object.values(overrun(400, 413, 431)));
  add('chunks of 100,000 bytes', raw(server, `${chunks(...Array(100).fill('x'.repeat(1000)))}0\r\n\r\n`),
    [...last(413, 400), '413 200', 'closed'], [...last(413), '413 200']);
  add('100,000 bytes announced in a chunk', raw(server, '186a0\r\nabcde'), [...last(413, 400), 'silent'], last(413));
  for (const [what, rest] of [['within a size', size[0]], ['behind a size', `${size}\r\n`],
    ['within the data', `${size}\r\n${body.slice(0, 5)}`], ['before the last chunk', chunks(body)],
    ['within the last chunk', `${chunks(body)}0\r\n`],
    ['within the last CRLF', `${chunks(body)}0\r\n\r`], ['within a trailer', `${chunks(body)}0\r\nX: a`]])
    list.push({ name: `the end ${what}`, section: '9112 8', ways: ['plain'], sentinel: false,
      send: [raw(server, rest), halfClose], must: [...last(400, 408), 'closed'] });
  return list;
}

// 6.1: a coding that is not understood is 501; 6.3: without chunked as the last one the server MUST respond 400
// and close.
function codings(server) {
  const list = [];
  const { body } = server;
  const whole = `${chunks(body)}0\r\n\r\n`;
  const refused = last(400, 501);
  const add = (name, lines, must = refused, should) =>
    list.push({ name, section: '9112 6.1', send: raw(server, whole, lines), must, should });
  for (const value of ['gzip', 'identity', 'deflate', 'compress', 'x', 'chunked, gzip', 'chunked, identity',
    'chunked, chunked, gzip', 'xchunked', 'chunkedx', 'x-chunked', '"chunked"', 'chunked;q=1', 'chunked; a=b',
    'chun', 'chu nked', 'chunked chunked',
    'chunked;', 'cow', 'nothing', '\x0bchunked', 'chunked\x0b', '\xa0chunked', 'chunked\x00', '\x00chunked',
    'chunked=', '=chunked', ';chunked', 'trailers', '5', 'chunked, x', 'chunked, ""'])
    add(`Transfer-Encoding: ${JSON.stringify(value)}`, [`Transfer-Encoding: ${value}`]);
  // node takes these: it looks at the last one alone.
  for (const value of ['gzip, chunked', 'identity, chunked', 'deflate, gzip, chunked', 'chunked, chunked',
    'chunked,chunked', 'x, chunked'])
    add(`Transfer-Encoding: ${value}`, [`Transfer-Encoding: ${value}`],
      [...refused, ...kept(server.posted, ...server.unfit)], refused);
  for (const value of [', chunked', 'chunked,', 'chunked ,', ',chunked,'])
    add(`Transfer-Encoding: ${JSON.stringify(value)}`, [`Transfer-Encoding: ${value}`],
      [...refused, ...kept(server.posted)]);
  for (const value of ['', ' ', ',']) add(`Transfer-Encoding: ${JSON.stringify(value)}`,
    [`Transfer-Encoding: ${value}`], [...refused, ...server.unfit.map(String), '411']);
  for (const two of [['chunked', 'identity'], ['chunked', 'gzip'], ['chunked', 'x'], ['chunked', 'cow']])
    add(`Transfer-Encoding in two lines, ${two}`, two.map((one) => `Transfer-Encoding: ${one}`));
  for (const two of [['chunked', 'chunked'], ['identity', 'chunked'], ['gzip', 'chunked'], ['x', 'chunked'],
    ['', 'chunked'], ['chunked', '']])
    add(`Transfer-Encoding in two lines, ${JSON.stringify(two)}`, two.map((one) => `Transfer-Encoding: ${one}`),
      [...refused, ...kept(server.posted, ...server.unfit)], two.includes('') ? undefined : refused);
  // 6.1: in HTTP/1.0 the framing is faulty, and the connection MUST close behind it.
  for (const lines of [[TE], [TE, 'Connection: keep-alive'], [TE, `Content-Length: ${body.length}`]])
    list.push({ name: `HTTP/1.0 with ${lines}`, section: '9112 6.1',
      send: head(`POST ${server.post} HTTP/1.0`, [`Host: ${server.host}`,
      ...server.fields.split('\r\n').filter(Boolean), ...lines]) + whole,
      must: [...last(400, 411, 501, server.posted),
        ...(lines.length > 1 && lines[1].startsWith('Conn') ? [`${server.posted} 200`] : [])],
        should: last(400, 501, 411, server.posted) });
  return list;
}

// 6.1, 6.3, 11.2: requests that two readers may divide differently. Whatever is answered, what is inside a body is
// not, and behind a request with both fields the connection is closed.
function smuggling(server) {
  const list = [];
  const inner = get(server);
  const size = inner.length;
  const end = '0\r\n\r\n';
  const te = { plain: TE, 'in upper case': 'TRANSFER-ENCODING: CHUNKED',
    'in a list': 'Transfer-Encoding: identity, chunked', 'of a coding unknown': 'Transfer-Encoding: x',
    'in quotes': 'Transfer-Encoding: "chunked"',
    'with a space before the colon': 'Transfer-Encoding : chunked',
    'with a tab before the colon': 'Transfer-Encoding\t: chunked',
    'with a tab before the value': 'Transfer-Encoding:\tchunked',
    'with a vertical tab': 'Transfer-Encoding: \x0bchunked',
    'with NUL': 'Transfer-Encoding: \x00chunked', 'in a folded line': 'Transfer-Encoding:\r\n chunked',
    'behind LF': 'X: a\nTransfer-Encoding: chunked', 'behind CR': 'X: a\rTransfer-Encoding: chunked',
    'twice': 'Transfer-Encoding: chunked\r\nTransfer-Encoding: cow',
    'twice, the other way': 'Transfer-Encoding: cow\r\nTransfer-Encoding: chunked',
    'with CR behind it': 'Transfer-Encoding: chunked\r', 'with a comma': 'Transfer-Encoding: ,chunked',
    'empty': 'Transfer-Encoding:' };
  const bodies = { 'a length of 0': ['Content-Length: 0', `${chunks(inner)}${end}`],
    'a length within the chunks': ['Content-Length: 4', `${chunks(inner)}${end}`],
    'a length over the end': [`Content-Length: ${size + 5}`, end + inner],
    'a bad length': ['Content-Length: x', `${chunks(inner)}${end}`],
    'two lengths': ['Content-Length: 0\r\nContent-Length: 5', `${chunks(inner)}${end}`] };
  const refused = last(400, 411, 413, 422, 501);
  for (const [what, field] of Object.entries(te))
    for (const [how, [length, body]] of Object.entries(bodies))
      for (const [order, lines] of [['first', [length, field]], ['last', [field, length]]])
        list.push({ name: `chunked ${what}, ${how} ${order}`, section: '9112 6.3, 11.2',
          send: post(server, lines, body),
          must: what === 'empty' && how === 'a length over the end' ? [...refused, ...kept(...server.unfit)]
            : refused, should: last(400, 501) });
  // Names that are other names: the length counts.
  for (const line of ['Transfer_Encoding: chunked', 'TransferEncoding: chunked', 'X-Transfer-Encoding: chunked',
    'Transfer-Encodings: chunked', 'Transfer-Encodin: chunked'])
    list.push({ name: `${line} beside a length`, section: '9110 5.1',
      send: post(server, [line, `Content-Length: ${server.body.length}`], server.body), must: kept(server.posted) });
  for (const [what, lines] of [['chunked and a length', ['Content-Length: 5', TE]], ['chunked', [TE]]])
    list.push({ name: `GET with ${what}, a request behind the end`, section: '9112 6.3',
      send: get(server, ...lines) + end + inner,
      must: what === 'chunked' ? ['200 200 200', '200 200', '200', '400', '501'] : last(400, 501, 200) });
  list.push({ name: 'a request in the length of a GET', section: '9112 11.2',
    send: get(server, `Content-Length: ${size}`) + inner, must: [...kept(200), ...last(400, 413)] });
  list.push({ name: 'an upgrade with a body that is a request', section: '9112 11.2', methods: ['GET'],
    sentinel: false, must: ['200', '200 200', '400', '404', '404 200', '426', '426 200', '413'],
    send: [get(server, 'Upgrade: foo', 'Connection: upgrade, close', `Content-Length: ${size}`) + inner] });
  return list;
}

export const cases = (server) => [...good(server), ...packets(server), ...malformed(server), ...codings(server),
  ...smuggling(server)];
