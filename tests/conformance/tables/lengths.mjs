// RFC 9112, section 6: bodies by Content-Length. RFC 9110, sections 8.6 and 10.1.1: Content-Length, Expect.

import { cut, halfClose, oneByOne } from '../connection.mjs';
import { get, head, kept, last, post, posted, refusedPost } from '../requests.mjs';

export const kind = 'http';

function good(server) {
  const list = [];
  const { length } = server.body;
  const ok = server.posted;
  const add = (name, section, send, must, more) => list.push({ name, section, send, must, ...more });
  add('a body with its length', '9112 6.2', posted(server), kept(ok));
  for (const line of [`content-length: ${length}`, `CONTENT-LENGTH:${length}`, `Content-Length:\t${length}`,
    `Content-Length:    ${length}   `])
    add(`a body with ${JSON.stringify(line)}`, '9110 5.1', post(server, [line], server.body), kept(ok));
  // node takes no tab behind it.
  add('a length with a tab behind it', '9110 5.5', post(server, [`Content-Length: ${length}\t`], server.body),
    [...kept(ok), '400'], { should: kept(ok) });
  for (const zeros of [1, 10, 30])
    add(`a length with ${zeros} zeros before it`, '9110 8.6',
      post(server, [`Content-Length: ${'0'.repeat(zeros)}${length}`], server.body), [...kept(ok), '400']);
  add('two bodies', '9112 9.3.2', posted(server) + posted(server), [`${ok} ${ok} 200`, `${ok} ${ok}`, `${ok}`]);
  add('a body that looks like a request', '9112 6.2',
    post(server, [`Content-Length: ${get(server).length}`], get(server)), kept(...server.unfit));
  add('a body that is not what is wanted', '9112 6.2', post(server, ['Content-Length: 5'], 'abcde'),
    kept(...server.unfit));
  add('a body for a path that is not there', '9112 6.2',
    head(`POST ${server.missing} HTTP/1.1`, [`Host: ${server.host}`, 'Content-Length: 5']) + 'abcde', kept(404, 405));
  for (const method of ['GET', 'HEAD', 'OPTIONS', 'DELETE', 'PUT', 'PATCH'])
    for (const body of ['', 'abcde', get(server)])
      add(`${method} with a body of ${body.length} bytes`, '9112 6.2',
        head(`${method} ${server.get} HTTP/1.1`, [`Host: ${server.host}`, `Content-Length: ${body.length}`]) + body,
        [...kept(200, 204, 404, 405, 501), ...last(400, 413)], { methods: [method] });
  // A POST that announces no body has none.
  for (const [what, lines] of [['no length', []], ['the length 0', ['Content-Length: 0']]]) {
    add(`POST with ${what}`, '9112 6.3', post(server, lines, ''), kept(400, 411, 422));
    add(`POST with ${what}, then a POST`, '9112 6.3', post(server, lines, '') + posted(server),
      [400, 411, 422].flatMap((status) => [`${status}`, `${status} ${ok}`, `${status} ${ok} 200`]));
    add(`POST with ${what} on a path that is not there`, '9112 6.3',
      head(`POST ${server.missing} HTTP/1.1`, [`Host: ${server.host}`, ...lines]), kept(404, 405, 411));
  }
  const bytes = posted(server);
  add('a body byte by byte', '9112 6.2', oneByOne(bytes), kept(ok));
  for (let at = bytes.length - length - 6; at < bytes.length; at += 3) add(`a body in packets of ${at} and the rest`, '9112 6.2', cut(bytes, at), kept(ok));
  return list;
}

// The answer may be known before the body has come: it is still a body.
function refusedByHead(server) {
  const list = [];
  const add = (name, send) => list.push({ name: `a POST refused by its head, ${name}`, section: '9112 6', send,
    must: kept(...server.refused) });
  const inner = get(server);
  const chunksOf = `${inner.length.toString(16)}\r\n${inner}\r\n0\r\n\r\n`;
  for (const [what, lines, body] of [['a body', [`Content-Length: ${server.body.length}`], server.body],
    ['a body that is a request', [`Content-Length: ${inner.length}`], inner],
    ['a chunked body', ['Transfer-Encoding: chunked'], `5\r\nabcde\r\n0\r\n\r\n`],
    ['a chunked body that is a request', ['Transfer-Encoding: chunked'], chunksOf],
    ['a body of 10,000 bytes', ['Content-Length: 10000'], inner.repeat(1000).slice(0, 10000)]]) {
    add(what, refusedPost(server, lines, body));
    add(`${what} in another packet`, [refusedPost(server, lines, ''), body]);
    add(`${what} when the answer is there`, [refusedPost(server, lines, ''), answered, body]);
    add(`${what} in two packets`, cut(refusedPost(server, lines, body), refusedPost(server, lines, '').length + 10));
  }
  return list;
}

// 6.3: "If a message is received without Transfer-Encoding and with an invalid Content-Length header field, then
// [...] the server MUST respond with a 400 status code and then close the connection."
function invalid(server) {
  const list = [];
  const smuggled = get(server);
  const size = smuggled.length;
  const values = ['abc', '0x3a', `"${size}"`, `'${size}'`, `+${size}`, `-${size}`, '-0', '-1', `-${'9'.repeat(30)}`, `${size}.0`,
    `.${size}`, `${size},`, `,${size}`, `${size};`, `${size}x`, `x${size}`, '1 2', `${size} ${size}`, `${size}\t0`,
    '1e1', '0b1', '0o7', '1_0', 'ten', 'chunked', '*', '0, 5', '5, 0', '0,0,1', 'Infinity', 'NaN', 'null', '', ' ',
    '\xb2', '\xd9\xa5', `${size}\x0b`, `${size}\x00`, `\x0c${size}`, '0;', '%30', '0%', '$0', '(0)', '<0>', '0=',
    '0\\'];
  for (const value of values)
    for (const [what, start] of [['POST', (line) => post(server, [line], '')], ['GET', (line) => get(server, line)]])
      list.push({ name: `${what} with the length ${JSON.stringify(value)}`, section: '9112 6.3',
        send: start(`Content-Length: ${value}`) + smuggled, must: last(400) });
  for (const value of ['99999999999999999999', '18446744073709551616', String(2n ** 64n + BigInt(size)),
    String(2n ** 63n), String(2n ** 64n - 1n), '1'.repeat(100), '9'.repeat(1000)])
    list.push({ name: `the length ${value.slice(0, 30)}`, section: '9112 6.3',
      send: post(server, [`Content-Length: ${value}`], smuggled), must: last(400, 413) });
  for (const [one, two] of [[0, size], [size, 0], [5, 6], [size, size + 1], [size, 'x'], ['x', size],
    [size, `-${size}`]]) {
    const lines = [`Content-Length: ${one}`, `Content-Length: ${two}`];
    list.push({ name: `two lengths, ${one} and ${two}`, section: '9112 6.3', send: post(server, lines, smuggled),
      must: last(400) });
    list.push({ name: `two lengths apart, ${one} and ${two}`, section: '9112 6.3',
      send: post(server, [lines[0], 'X: y', lines[1].toLowerCase()], smuggled), must: last(400) });
    list.push({ name: `two lengths in a list, ${one} and ${two}`, section: '9112 6.3',
      send: post(server, [`Content-Length: ${one}, ${two}`], smuggled), must: last(400) });
    list.push({ name: `two lengths of a GET, ${one} and ${two}`, section: '9112 6.3',
      send: get(server, ...lines) + smuggled, must: last(400) });
  }
  const { length } = server.body; // the same twice MAY be taken
  for (const lines of [[`Content-Length: ${length}`, `Content-Length: ${length}`],
    [`Content-Length: ${length}, ${length}`]])
    list.push({ name: `the same length twice in ${lines.length} lines`, section: '9112 6.3',
      send: post(server, lines, server.body), must: [...kept(server.posted), '400'], should: last(400) });
  for (const line of ['Content-Length : 5', 'Content-Length\t: 5', ' Content-Length: 5', 'Content-Length\x00: 5',
    'Content-\x00Length: 5'])
    list.push({ name: JSON.stringify(line), section: '9112 5.1', send: post(server, [line], smuggled),
      must: [...last(400)], ...(line.startsWith(' ') && { must: last(400, ...server.unfit) }) });
  // Another name: no body is announced.
  for (const line of ['Content_Length: 5', 'ContentLength: 5', 'Content-Lengths: 5', 'X-Content-Length: 5',
    'Content-Lengt: 5'])
    list.push({ name: line, section: '9110 5.1', send: get(server, line) + smuggled,
      must: ['200 200 200', '200 200', '200'] });
  return list;
}

function tooLarge(server) {
  const list = [];
  const add = (name, section, send, must, should) => list.push({ name, section, send, must, should });
  for (const size of [10 ** 6, 10 ** 7, 2 ** 31, 2 ** 32, 2 ** 32 + 5, 2 ** 53, 10 ** 18])
    add(`a body of ${size} bytes announced`, '9110 15.5.14', post(server, [`Content-Length: ${size}`], 'abcde'),
      last(413, 400), last(413));
  add('a body of 100,000 bytes', '9110 15.5.14', post(server, ['Content-Length: 100000'], 'x'.repeat(100000)),
    [...last(413, 400), '413 200', 'closed'], [...last(413), '413 200']);
  add('a body of 30,000 bytes', '9112 6.2', post(server, [`Content-Length: ${30000}`], server.body.padEnd(30000)),
    kept(server.posted));
  for (const size of [10 ** 7, 10 ** 15]) add(`a GET with a body of ${size} bytes announced`, '9110 15.5.14',
    get(server, `Content-Length: ${size}`) + 'abcde', last(413, 400, 200));
  return list;
}

// 8: a request that is not whole is not served.
function cutOff(server) {
  const list = [];
  const bytes = posted(server);
  for (let at = 1; at < bytes.length; at += at < 20 || at > bytes.length - 4 ? 1 : 9)
    list.push({ name: `the end after ${at} bytes of a POST`, section: '9112 8', ways: ['plain'], sentinel: false,
      send: [bytes.slice(0, at), halfClose], must: [...last(400, 408), 'closed'] });
  // A client may end its direction behind a whole request.
  list.push({ name: 'the end behind a POST', section: '9112 9.6', ways: ['plain'], sentinel: false,
    send: [bytes, halfClose], must: last(server.posted) });
  list.push({ name: 'the end behind two GETs', section: '9112 9.6', ways: ['plain'], sentinel: false,
    send: [get(server) + get(server), halfClose], must: last('200 200', 200) });
  list.push({ name: 'the end without a request', section: '9112 9.6', ways: ['plain'], sentinel: false,
    send: [halfClose], must: ['closed', '408'] });
  return list;
}

const answered = (connection, deadlineMs) => connection.until(() => connection.received.includes('\r\n\r\n'),
  deadlineMs);

function expectations(server) {
  const list = [];
  const ok = server.posted;
  const { length } = server.body;
  const add = (name, send, must, should) => list.push({ name, section: '9110 10.1.1', send, must, should });
  const goes = [...kept(`100 ${ok}`), ...kept(ok), ...last(417)];
  for (const value of ['100-continue', '100-Continue', '100-CONTINUE', ' 100-continue ']) {
    const lines = [`Content-Length: ${length}`, `Expect: ${value}`];
    add(`Expect: ${value}, the body at once`, post(server, lines, server.body), goes,
      [...kept(`100 ${ok}`), ...kept(ok)]);
    add(`Expect: ${value}, the body when it is asked for`, [post(server, lines, ''), answered, server.body],
      [...kept(`100 ${ok}`), ...last(417)], kept(`100 ${ok}`));
    add(`Expect: ${value}, the body in a packet of its own`, [post(server, lines, ''), server.body], goes,
      [...kept(`100 ${ok}`), ...kept(ok)]);
  }
  add('Expect: 100-continue, chunked, when it is asked for',
    [post(server, ['Transfer-Encoding: chunked', 'Expect: 100-continue'], ''), answered,
    `${length.toString(16)}\r\n${server.body}\r\n0\r\n\r\n`],
    [...kept(`100 ${ok}`), ...last(417)], kept(`100 ${ok}`));
  add('Expect: 100-continue without a body', get(server, 'Expect: 100-continue'),
    [...kept(200), ...kept('100 200'), '417'], kept(200));
  add('Expect: 100-continue with a length of 0', get(server, 'Content-Length: 0', 'Expect: 100-continue'),
    [...kept(200), ...kept('100 200'), '417'], kept(200));
  for (const value of ['200-ok', '100-continued', 'x', '100-continue, x', '100', 'continue'])
    add(`Expect: ${value}`, post(server, [`Content-Length: ${length}`, `Expect: ${value}`], server.body),
      [...kept(ok, 417), ...kept(`100 ${ok}`)], kept(417));
  // A body that is refused is refused before it is sent; node's own server asks for it first.
  add('Expect: 100-continue, too large', [post(server, ['Content-Length: 10000000', 'Expect: 100-continue'], ''),
    answered], last(413, 417, '100 413', 400), last(413, 417));
  list.push({ name: 'Expect: 100-continue in HTTP/1.0', section: '9110 10.1.1', sentinel: false,
    send: head(`POST ${server.post} HTTP/1.0`, [`Host: ${server.host}`,
      ...server.fields.split('\r\n').filter(Boolean), `Content-Length: ${length}`,
      'Expect: 100-continue']) + server.body,
    must: last(ok, `100 ${ok}`), should: last(ok) });
  return list;
}

export const cases = (server) => [...good(server), ...refusedByHead(server), ...invalid(server),
  ...tooLarge(server), ...cutOff(server),
  ...expectations(server)];
