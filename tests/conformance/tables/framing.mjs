// RFC 6455, section 5: frames. Section 5.5.2, 5.5.3: pings and pongs.

import { cut, oneByOne } from '../connection.mjs';
import { BINARY, CLOSE, CONTINUATION, frame, PING, ping, PONG, pong, TEXT, text } from '../frames.mjs';
import { either, fails, stays } from '../websocket.mjs';

export const kind = 'websocket';
export const ways = ['plain', 'tls', 'haproxy', 'nginx'];

const OPCODES = { text: TEXT, binary: BINARY, continuation: CONTINUATION, close: CLOSE, ping: PING, pong: PONG };
const CONTROL = { close: CLOSE, ping: PING, pong: PONG };
const RESERVED = [3, 4, 5, 6, 7, 11, 12, 13, 14, 15];
const PAYLOAD = { text: 'x', binary: 'x', continuation: 'x', close: '\x03\xe8', ping: 'x', pong: 'x' };
const filled = (size) => 'abcdefghijklmnopqrstuvwxyz'.repeat(Math.ceil(size / 26)).slice(0, size);
const range = (from, to) => Array.from({ length: to - from + 1 }, (_, i) => from + i);
const payload = (name) => Buffer.from(PAYLOAD[name], 'latin1');

function masking() {
  const list = [];
  for (const [name, opcode] of Object.entries(OPCODES))
    for (const size of name === 'close' ? [0, 2] : [0, 1, 5, 125])
      list.push({ name: `an unmasked ${name} of ${size} bytes`, section: '5.1',
        send: [frame(opcode, opcode === CLOSE ? payload(name).subarray(0, size) : filled(size), { mask: null }),
          text('behind it')],
        ...fails([1002]) });
  for (const size of [126, 1000, 16384])
    list.push({ name: `an unmasked text of ${size} bytes`, section: '5.1',
      send: frame(TEXT, filled(size), { mask: null }), ...fails([1002]) });
  list.push({ name: 'an unmasked text behind a masked one', section: '5.1',
    send: [text('masked'), text('not', { mask: null })], ...fails([1002], ['masked']) });
  list.push({ name: 'an unmasked last fragment', section: '5.1',
    send: [text('a', { fin: false }), frame(CONTINUATION, 'b', { mask: null })], ...fails([1002]) });
  for (const mask of [[0, 0, 0, 0], [255, 255, 255, 255], [1, 2, 3, 4], [128, 0, 0, 0], [0, 0, 0, 1]])
    for (const size of [...range(0, 17), 33, 64, 125, 126, 127])
      list.push({ name: `mask ${mask} on ${size} bytes`, section: '5.3', send: text(filled(size), { mask }),
        ...stays([filled(size)]) });
  return list;
}

function reservedBits() {
  const list = [];
  for (const rsv of range(1, 7))
    for (const [name, opcode] of Object.entries(OPCODES)) {
      const before = name === 'continuation' ? [text('a', { fin: false })] : [];
      list.push({ name: `reserved bits ${rsv} on ${name}`, section: '5.2',
        send: [...before, frame(opcode, payload(name), { rsv }), text('behind it')], ...fails([1002]) });
    }
  return list;
}

function opcodes() {
  const list = [];
  for (const opcode of RESERVED)
    for (const fin of [true, false])
      for (const body of ['', 'x'])
        for (const inside of [false, true])
          list.push({ name: `opcode ${opcode}, fin ${fin}, ${body.length} bytes, ` +
            `${inside ? 'within' : 'outside'} a message`, section: '5.2',
            send: [...(inside ? [text('a', { fin: false })] : []), frame(opcode, body, { fin }), text('behind it')],
            ...fails([1002]) });
  for (const size of [0, 1, 125, 126, 16384])
    list.push({ name: `a binary message of ${size} bytes`, section: '7.4.1',
      send: frame(BINARY, filled(size)), ...fails([1003]) });
  return list;
}

function controlFrames() {
  const list = [];
  for (const [name, opcode] of Object.entries(CONTROL)) {
    for (const size of [0, 2])
      list.push({ name: `a fragmented ${name} of ${size} bytes`, section: '5.5',
        send: [frame(opcode, payload(name).subarray(0, size), { fin: false }), text('behind it')], ...fails([1002]) });
    for (const size of [126, 127, 128, 1000])
      list.push({ name: `a ${name} of ${size} bytes`, section: '5.5',
        send: [frame(opcode, Buffer.concat([payload(name), Buffer.alloc(size - payload(name).length, 'r')])),
          text('behind it')],
        ...fails([1002]) });
    for (const form of [16, 64]) {
      const body = opcode === CLOSE ? payload(name) : filled(5);
      list.push({ name: `a ${name} with its length in ${form} bits`, section: '5.5',
        send: [frame(opcode, body, { form }), text('behind it')], ...fails([1002]) });
    }
  }
  return list;
}

// A length is in the fewest bytes (5.2), of the sender; that a receiver fails otherwise is no MUST.
function lengths({ bytesMax }) {
  const list = [];
  const whole = [...range(0, 8), 64, 124, 125, 126, 127, 128, 255, 256, 257, 1000, 4095, 4096, 4097, 8191, 8192, 8193,
    bytesMax - 1, bytesMax];
  for (const size of whole)
    list.push({ name: `a text of ${size} bytes`, section: '5.2', send: text(filled(size)), ...stays([filled(size)]) });
  for (const size of [bytesMax + 1, 20000, 65535, 65536, 100000])
    list.push({ name: `a text of ${size} bytes, too long`, section: '7.4.1', send: text(filled(size)),
      ...fails([1009]) });
  for (const size of [0, 1, 125, 126, 1000])
    for (const form of [16, 64])
      if (form === 64 || size < 126)
        list.push({ name: `a text of ${size} bytes with its length in ${form} bits`, section: '5.2',
          send: text(filled(size), { form }),
          must: either(fails([1002]), stays([filled(size)])).must, should: fails([1002]).should });
  for (const length of [2n ** 63n, 2n ** 63n + 5n, 2n ** 64n - 1n, 2n ** 63n + 2n ** 32n])
    list.push({ name: `a length of ${length}, whose highest bit is set`, section: '5.2',
      send: text('hello', { length, form: 64 }), ...fails([1002, 1009]) });
  for (const length of [2n ** 63n - 1n, 2n ** 62n, 2n ** 53n, 2n ** 40n, 2n ** 32n + 5n, 2n ** 32n, 2n ** 31n,
    2n ** 24n])
    list.push({ name: `a length of ${length}`, section: '5.2, 7.4.1',
      send: text('hello', { length, form: 64 }), ...fails([1009, 1002]) });
  return list;
}

function packets() {
  const list = [];
  const messages = { 'of 5 bytes': 'hello', 'of 130 bytes': filled(130) };
  for (const [name, body] of Object.entries(messages)) {
    const bytes = text(body);
    const places = bytes.length < 20 ? range(1, bytes.length - 1) : [1, 2, 3, 4, 5, 6, 7, 8, 9, 100, bytes.length - 1];
    for (const at of places)
      list.push({ name: `a text ${name} in packets of ${at} and the rest`, section: '5.2', send: cut(bytes, at),
        ...stays([body]) });
    list.push({ name: `a text ${name} byte by byte`, section: '5.2', send: oneByOne(bytes), ...stays([body]) });
  }
  const both = Buffer.concat([text('one'), ping('p'), text('two')]);
  for (const at of range(1, both.length - 1))
    list.push({ name: `two texts and a ping in packets of ${at} and the rest`, section: '5.2', send: cut(both, at),
      ...stays(['one', 'two'], ['p']) });
  for (const count of [2, 10, 100, 300]) {
    const texts = range(1, count).map((i) => `text ${i}`);
    list.push({ name: `${count} texts in one packet`, section: '5.4',
      send: Buffer.concat(texts.map((one) => text(one))), ...stays(texts) });
  }
  return list;
}

function pings() {
  const list = [];
  for (const size of [...range(0, 20), 31, 32, 33, 63, 64, 65, 100, 124, 125])
    list.push({ name: `a ping of ${size} bytes`, section: '5.5.2', send: ping(filled(size)),
      ...stays([], [filled(size)]) });
  list.push({ name: 'a ping of all bytes', section: '5.5.2',
    send: [ping(Buffer.from(range(0, 124))), ping(Buffer.from(range(131, 255)))],
    ...stays([], [range(0, 124), range(131, 255)].map((one) => Buffer.from(one).toString('latin1'))) });
  for (const count of [2, 3, 10, 100, 500]) {
    const names = range(1, count).map((i) => `ping ${i}`);
    const frames = names.map((one) => ping(one));
    list.push({ name: `${count} pings in one packet`, section: '5.5.2', send: Buffer.concat(frames),
      ...stays([], names) });
    list.push({ name: `${count} pings, each a packet`, section: '5.5.2', send: frames, ...stays([], names) });
  }
  const few = Buffer.concat([ping('one'), ping(''), ping('three')]);
  for (const at of range(1, few.length - 1))
    list.push({ name: `three pings in packets of ${at} and the rest`, section: '5.5.2', send: cut(few, at),
      ...stays([], ['one', '', 'three']) });
  list.push({ name: 'three pings byte by byte', section: '5.5.2', send: oneByOne(few),
    ...stays([], ['one', '', 'three']) });
  for (const size of [0, 1, 125])
    list.push({ name: `an unsolicited pong of ${size} bytes`, section: '5.5.3',
      send: [pong(filled(size)), text('after')], ...stays(['after']) });
  list.push({ name: '100 unsolicited pongs', section: '5.5.3',
    send: [Buffer.concat(range(1, 100).map(() => pong('x'))), ping('p')], ...stays([], ['p']) });
  list.push({ name: 'pings between texts', section: '5.5.2',
    send: Buffer.concat([ping('1'), text('a'), ping('2'), text('b'), ping('3')]),
      ...stays(['a', 'b'], ['1', '2', '3']) });
  return list;
}

// A client may not know yet that it is accepted, but a writer that gathers makes it so.
function early() {
  const list = [];
  const first = { 'a text': text('early'), 'a ping': ping('early'),
    'a text and a ping': Buffer.concat([text('early'), ping('early')]) };
  for (const [what, bytes] of Object.entries(first))
    for (let at = 1; at <= bytes.length; at += at < 7 ? 1 : 4)
      list.push({ name: `${at} bytes of ${what} in the packet of the handshake`, section: '4.1',
        early: bytes.subarray(0, at),
        send: bytes.subarray(at), ways: ['plain', 'tls'],
        ...stays(what.includes('text') ? ['early'] : [], what.includes('ping') ? ['early'] : []) });
  list.push({ name: 'an unmasked text in the packet of the handshake', section: '5.1', ways: ['plain', 'tls'],
    early: text('early', { mask: null }), send: [], ...fails([1002]) });
  return list;
}

export const cases = (server) => [...early(), ...masking(), ...reservedBits(), ...opcodes(), ...controlFrames(),
  ...lengths(server), ...packets(), ...pings()];
