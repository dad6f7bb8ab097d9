// RFC 6455, sections 5.5.1, 7.1 and 7.4: Close frames and the end of a connection.

import { cut, halfClose, oneByOne } from '../connection.mjs';
import { CLOSE, close, frame, more, ping, text } from '../frames.mjs';
import { closed, fails } from '../websocket.mjs';
import { INVALID, VALID } from './utf8_texts.mjs';

export const kind = 'websocket';
export const ways = ['plain', 'tls', 'haproxy', 'nginx'];

const VALID_CODES = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3001, 3999,
  4000, 4001,
  4307, 4998, 4999];
// Reserved, never on the wire, or of no meaning (7.4.1, 7.4.2).
const INVALID_CODES = [0, 1, 255, 256, 999, 1004, 1005, 1006, 1015, 1016, 1017, 1099, 1100, 1999, 2000, 2500, 2999,
  5000,
  5001, 10000, 32767, 32768, 65534, 65535];
const range = (from, to) => Array.from({ length: to - from + 1 }, (_, i) => from + i);
const hex = (digits) => Buffer.from(digits, 'hex');

function answered() {
  const list = [];
  const add = (name, section, send, code, texts, pongs) =>
    list.push({ name, section, send, closes: true, ...closed(code, texts, pongs) });
  add('a Close without a body', '5.5.1', frame(CLOSE), 1005);
  for (const code of VALID_CODES) {
    add(`Close ${code}`, '7.4', close(code), code);
    add(`Close ${code} with a reason`, '7.4', close(code, 'a reason'), code);
  }
  for (const size of [1, 2, 10, 64, 122, 123]) add(`a reason of ${size} bytes`, '5.5.1',
    close(1000, 'r'.repeat(size)), 1000);
  for (const [what, digits] of Object.entries(VALID)) add(`a reason: ${what}`, '5.5.1', close(1000, hex(digits)), 1000);
  const bytes = close(1001, 'gone');
  for (const at of range(1, bytes.length - 1)) add(`a Close in packets of ${at} and the rest`, '5.5.1',
    cut(bytes, at), 1001);
  add('a Close byte by byte', '5.5.1', oneByOne(bytes), 1001);
  add('a text and a Close in one packet', '5.5.1', Buffer.concat([text('before'), close(1000)]), 1000, ['before']);
  add('a ping and a Close in one packet', '5.5.1', Buffer.concat([ping('p'), close(1000)]), 1000, [], ['p']);
  add('ten texts and a Close in one packet', '5.5.1',
    Buffer.concat([...range(1, 10).map((i) => text(`text ${i}`)), close(1000)]), 1000,
      range(1, 10).map((i) => `text ${i}`));
  add('a Close within a message', '5.4', [text('half', { fin: false }), close(1000)], 1000);
  return list;
}

// 5.5.1, 1.4: "After sending a control frame indicating the connection should be closed, a peer does not send
// any further data; after receiving [it], a peer discards any further data received."
function nothingAfter() {
  const list = [];
  const late = { text: text('late'), 'two texts': Buffer.concat([text('late'), text('later')]), ping: ping('late'),
    'a Close': close(1001), 'a bad Close': close(1005), 'an empty Close': frame(CLOSE),
    'an unmasked text': text('late', { mask: null }),
    'a reserved opcode': frame(3, 'late'), 'bad UTF-8': text(hex('ff')), 'a long text': text('x'.repeat(20000)),
    'a continuation': more('late'), garbage: Buffer.alloc(100, 0xff),
    'a request': 'GET / HTTP/1.1\r\nHost: x\r\n\r\n' };
  for (const [what, bytes] of Object.entries(late))
    for (const [how, send] of [['in one packet', Buffer.concat([close(1000), Buffer.from(bytes)])],
      ['in two packets', [close(1000), bytes]]])
      list.push({ name: `after Close ${what}, ${how}`, section: '5.5.1', send, closes: true, ...closed(1000) });
  list.push({ name: 'the rest of a message after Close', section: '5.5.1', closes: true,
    send: Buffer.concat([text('half', { fin: false }), close(1000), more('late')]), ...closed(1000) });
  return list;
}

function refused() {
  const list = [];
  const add = (name, section, send, codes) => list.push({ name, section, send: [send, text('late'), ping('late')],
    ...fails(codes) });
  for (const byte of [0x00, 0x03, 0x0c, 0x0f, 0x13, 0x41, 0xff]) add(`a Close of one byte, ${byte}`, '5.5.1',
    frame(CLOSE, Buffer.from([byte])), [1002]);
  for (const code of INVALID_CODES) {
    add(`Close ${code}`, '7.4', close(code), [1002]);
    add(`Close ${code} with a reason`, '7.4', close(code, 'a reason'), [1002]);
  }
  for (const [what, digits] of Object.entries(INVALID)) {
    add(`a reason: ${what}`, '5.5.1', close(1000, hex(digits)), [1007, 1002]);
    add(`a reason: text and ${what}`, '5.5.1', close(1000, Buffer.concat([Buffer.from('text'), hex(digits)])),
      [1007, 1002]);
  }
  add('a reason of 124 bytes', '5.5', close(1000, 'r'.repeat(124)), [1002]);
  add('a bad code and a reason that is not UTF-8', '5.5.1', close(999, hex('ff')), [1002, 1007]);
  add('a bad Close within a message', '5.5.1', [text('half', { fin: false }), close(1005)], [1002]);
  return list;
}

function halves() {
  const list = [];
  const add = (name, send, expected) => list.push({ name, section: '7.1', ways: ['plain'], last: false,
    closes: true, send, ...expected });
  add('a Close, then the end of the client\'s direction', [close(1000), halfClose], closed(1000));
  add('a text and a Close, then the end', [text('before'), close(1000), halfClose], closed(1000, ['before']));
  add('the end without a Close', [halfClose], { ...fails([1000, 1001, 1002, 1005]), should: undefined });
  add('a text, then the end without a Close', [text('before'), halfClose],
    { ...fails([1000, 1001, 1002, 1005], ['before']), should: undefined });
  return list;
}

// A client that does not answer the Close which tells of its fault.
function deaf() {
  const list = [];
  const first = { 'a reserved opcode': [frame(3, 'x'), 1002], 'an unmasked text': [text('x', { mask: null }), 1002],
    'bad UTF-8': [text(hex('ff')), 1007], 'a long text': [text('x'.repeat(20000)), 1009],
    'a bad Close': [close(1005), 1002] };
  for (const [what, [bytes, code]] of Object.entries(first))
    list.push({ name: `${what}, and the client answers no Close`, section: '7.1.1, 7.1.7', send: bytes, deaf: true,
      last: false,
      ...fails([code]) });
  return list;
}

export const cases = () => [...answered(), ...deaf(), ...nothingAfter(), ...refused(), ...halves()];
