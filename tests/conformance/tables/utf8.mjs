// RFC 6455, section 8.1: text is UTF-8 (RFC 3629), over fragments and packets.

import { cut, oneByOne } from '../connection.mjs';
import { fragments, more, ping, text } from '../frames.mjs';
import { fails, stays } from '../websocket.mjs';
import { INVALID, VALID } from './utf8_texts.mjs';

export const kind = 'websocket';
export const ways = ['plain', 'tls', 'haproxy', 'nginx'];
const section = '8.1';
const positions = (bytes) => Array.from({ length: bytes.length + 1 }, (_, i) => i);

function valid() {
  const list = [];
  for (const [what, hex] of Object.entries(VALID)) {
    const bytes = Buffer.from(hex, 'hex');
    const said = bytes.toString();
    const add = (name, send, pongs) => list.push({ name: `valid: ${what}, ${name}`, section, send,
      ...stays([said], pongs) });
    add('whole', text(bytes));
    add('byte by byte', oneByOne(text(bytes)));
    add('each byte a fragment', fragments(Array.from(bytes, (byte) => Buffer.from([byte]))));
    for (const at of positions(bytes).slice(1, -1)) {
      add(`in fragments of ${at} and the rest`, fragments(cut(bytes, at)));
      add(`in packets, ${at} bytes in the first`, cut(text(bytes), 6 + at));
      const [first, second] = fragments(cut(bytes, at));
      add(`in fragments of ${at} and the rest, a ping between`, [first, ping('p'), second], ['p']);
    }
  }
  return list;
}

function invalid() {
  const list = [];
  for (const [what, hex] of Object.entries(INVALID)) {
    const bytes = Buffer.from(hex, 'hex');
    const inside = Buffer.concat([Buffer.from('a'), bytes, Buffer.from('b')]);
    const add = (name, send) => list.push({ name: `invalid: ${what}, ${name}`, section, send: [send, text('behind it')],
      ...fails([1007]) });
    add('whole', text(bytes));
    add('between others', text(inside));
    add('byte by byte', oneByOne(text(bytes)));
    add('in the last of two fragments', fragments(['a', bytes]));
    add('in the middle of three fragments', fragments(['a', bytes, 'b']));
    for (const at of positions(bytes).slice(1, -1)) add(`in fragments of ${at} and the rest`,
      fragments(cut(bytes, at)));
    list.push({ name: `invalid: ${what}, in a first fragment, found at once`, section,
      send: text(inside, { fin: false }),
      must: [...fails([1007]).must, ...stays().must], should: fails([1007]).should });
  }
  list.push({ name: 'invalid: a character that a new message continues', section,
    send: [text(Buffer.from('ce', 'hex')), text(Buffer.from('ba', 'hex'))], ...fails([1007]) });
  list.push({ name: 'valid text, then a fragment that is not', section,
    send: [text('whole'), text('a', { fin: false }), more(Buffer.from('ff', 'hex'))], ...fails([1007], ['whole']) });
  return list;
}

export const cases = () => [...valid(), ...invalid()];
