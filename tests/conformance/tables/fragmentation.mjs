// RFC 6455, section 5.4: messages in fragments.

import { cut, halfClose, oneByOne } from '../connection.mjs';
import { BINARY, fragments, frame, more, ping, pong, text } from '../frames.mjs';
import { fails, stays } from '../websocket.mjs';

export const kind = 'websocket';
export const ways = ['plain', 'tls', 'haproxy', 'nginx'];
const section = '5.4';
const range = (from, to) => Array.from({ length: to - from + 1 }, (_, i) => from + i);

function whole({ bytesMax }) {
  const list = [];
  const add = (name, send, texts, pongs) => list.push({ name, section, send, ...stays(texts, pongs) });
  const parts = (count) => range(1, count).map((i) => `part ${i};`);
  for (const count of [2, 3, 4, 5, 10, 100, 1000]) {
    const all = parts(count);
    const frames = fragments(all);
    add(`${count} fragments in one packet`, Buffer.concat(frames), [all.join('')]);
    if (count <= 100) add(`${count} fragments, each a packet`, frames, [all.join('')]);
    if (count <= 10) {
      add(`${count} fragments byte by byte`, oneByOne(Buffer.concat(frames)), [all.join('')]);
      for (const [kind, make] of [['ping', ping], ['pong', pong]]) {
        const between = frames.flatMap((one, i) => (i ? [make(`p${i}`), one] : [one]));
        const answers = kind === 'ping' ? range(1, count - 1).map((i) => `p${i}`) : [];
        add(`${count} fragments, a ${kind} between each, in one packet`, Buffer.concat(between), [all.join('')],
          answers);
        add(`${count} fragments, a ${kind} between each, each a packet`, between, [all.join('')], answers);
        if (count <= 4)
          add(`${count} fragments, a ${kind} between each, byte by byte`, oneByOne(Buffer.concat(between)),
            [all.join('')], answers);
      }
    }
  }
  for (const empty of [['', ''], ['', 'a'], ['a', ''], ['', '', ''], ['', 'a', ''], ['a', '', 'b'], Array(20).fill('')])
    add(`fragments of ${empty.map((one) => one.length)} bytes`, fragments(empty), [empty.join('')]);
  add('two messages in fragments', [...fragments(['a', 'b']), ...fragments(['c', 'd', 'e'])], ['ab', 'cde']);
  add('a message in fragments between two whole', [text('1'), ...fragments(['a', 'b']), text('2')], ['1', 'ab', '2']);
  add('three pings in one gap', [text('a', { fin: false }), ping('1'), ping('2'), ping('3'), more('b')], ['ab'],
    ['1', '2', '3']);
  for (const sizes of [[5000, 5000], [1, bytesMax - 1], [bytesMax - 1, 1], [bytesMax, 0], [0, bytesMax]])
    add(`fragments of ${sizes} bytes, long`, fragments(sizes.map((size, i) => 'ab'[i].repeat(size))),
      [sizes.map((size, i) => 'ab'[i].repeat(size)).join('')]);
  const pair = Buffer.concat(fragments(['first', 'second']));
  for (const at of range(1, pair.length - 1)) add(`two fragments in packets of ${at} and the rest`, cut(pair, at),
    ['firstsecond']);
  return list;
}

function wrong({ bytesMax }) {
  const list = [];
  const add = (name, send, codes = [1002], texts = [], pongs = []) =>
    list.push({ name, section, send, ...fails(codes, texts, pongs) });
  const open = text('a', { fin: false });
  for (const fin of [true, false])
    for (const body of ['', 'x']) {
      add(`a continuation of nothing, fin ${fin}, ${body.length} bytes`, [more(body, { fin }), text('behind it')]);
      add(`a continuation behind a whole text, fin ${fin}, ${body.length} bytes`,
        [text('whole'), more(body, { fin }), text('behind it')], [1002], ['whole']);
      add(`a continuation behind the last fragment, fin ${fin}, ${body.length} bytes`,
        [...fragments(['a', 'b']), more(body, { fin }), text('behind it')], [1002], ['ab']);
      add(`a text within a text, fin ${fin}, ${body.length} bytes`, [open, text(body, { fin }), more('behind it')]);
      add(`a binary within a text, fin ${fin}, ${body.length} bytes`,
        [open, frame(BINARY, body, { fin }), more('behind it')]);
      add(`a text within a binary, fin ${fin}, ${body.length} bytes`,
        [frame(BINARY, 'a', { fin: false }), text(body, { fin }), more('behind it')], [1002, 1003]);
      add(`a continuation behind a ping, fin ${fin}, ${body.length} bytes`, [ping(''), more(body, { fin })],
        [1002], [], ['']);
    }
  add('a text within a text behind a ping', [open, ping(''), text('b'), more('c')], [1002], [], ['']);
  add('a binary message in fragments', [frame(BINARY, 'a', { fin: false }), more('b')], [1003]);
  for (const sizes of [[bytesMax, 1], [1, bytesMax], [10000, 10000], Array(5).fill(4000), [bytesMax, 0, 1]])
    add(`fragments of ${sizes} bytes, too long together`, fragments(sizes.map((size) => 'x'.repeat(size))), [1009]);
  list.push({ name: 'fragments without end', section: '7.4.1',
    send: [open, Buffer.concat(range(1, 40).map(() => more('x'.repeat(1000), { fin: false })))],
    ...fails([1009]) });
  return list;
}

// A connection that ends within a message: nothing of it is delivered.
function cutOff() {
  const list = [];
  const frames = { 'a whole frame': text('hello'), 'a first fragment': text('hello', { fin: false }) };
  for (const at of range(1, frames['a whole frame'].length - 1))
    list.push({ name: `the end after ${at} bytes of a text`, section: '7.1.7', ways: ['plain'], last: false,
      send: [frames['a whole frame'].subarray(0, at), halfClose], ...fails([1002, 1006, 1005, 1000, 1001]),
        should: undefined });
  list.push({ name: 'the end after a first fragment', section: '7.1.7', ways: ['plain'], last: false,
    send: [frames['a first fragment'], halfClose], ...fails([1002, 1005, 1000, 1001]), should: undefined });
  return list;
}

export const cases = (server) => [...whole(server), ...wrong(server), ...cutOff()];
