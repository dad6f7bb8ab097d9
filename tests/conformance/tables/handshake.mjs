// RFC 6455, section 4: the opening handshake. A proxy judges and rewrites most of it itself.

import { cut, oneByOne } from '../connection.mjs';
import { tokens } from '../responses.mjs';

export const kind = 'handshake';
const KEY = 'dGhlIHNhbXBsZSBub25jZQ==';
const EVERY_WAY = ['plain', 'tls', 'haproxy', 'nginx'];
const REFUSED = ['400'];
const NO_WEBSOCKET = ['400', '404', '426', '200']; // a server MAY ignore Upgrade (RFC 9110, 7.8)

// The lines of a handshake; changes replace a field, take it away (null), or repeat it (a list).
function request({ host, websocket }, changes = {}, line) {
  const fields = { Host: host, Upgrade: 'websocket', Connection: 'Upgrade', 'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Key': KEY, ...changes };
  const lines = Object.entries(fields).flatMap(([name, value]) =>
    (value === null ? [] : [value].flat().map((one) => `${name}: ${one}\r\n`)));
  return `${line ?? `GET ${websocket}?chat=handshake&user=u HTTP/1.1`}\r\n${lines.join('')}\r\n`;
}

function taken(server) {
  const list = [];
  const add = (name, section, changes, more = {}) =>
    list.push({ name, section, key: KEY, send: request(server, changes), must: ['101'], ...more });
  add('as in the RFC', '4.2.1', {}, { ways: EVERY_WAY });
  for (const value of ['websocket', 'WebSocket', 'WEBSOCKET', '  websocket\t']) add(`Upgrade: ${value}`,
    '4.2.1 (3)', { Upgrade: value });
  for (const value of ['Upgrade', 'upgrade', 'UPGRADE', 'keep-alive, Upgrade', 'Upgrade, keep-alive',
    'keep-alive,Upgrade',
    'foo , Upgrade ,bar', '\tUpgrade ', ',Upgrade,']) add(`Connection: ${value}`, '4.2.1 (4)', { Connection: value });
  add('Upgrade in two lines', '4.2.1 (3)', { Upgrade: ['foo', 'websocket'] }, { must: ['101', ...NO_WEBSOCKET] });
  add('Connection in two lines', '4.2.1 (4)', { Connection: ['keep-alive', 'Upgrade'] });
  for (const value of ['foo, websocket', 'websocket, foo', 'h2c, websocket'])
    add(`Upgrade: ${value}`, '4.2.1 (3)', { Upgrade: value }, { must: ['101', ...NO_WEBSOCKET] });
  for (const key of ['AAAAAAAAAAAAAAAAAAAAAA==', '/////////////////////w==', '+/+/+/+/+/+/+/+/+/+/+w==',
    'AQIDBAUGBwgJCgsMDQ4PEA=='])
    add(`key ${key}`, '4.2.1 (5)', { 'Sec-WebSocket-Key': key }, { key, ways: EVERY_WAY });
  for (const value of [` ${KEY}`, `${KEY} `, `\t${KEY}\t`]) add(`a key as ${JSON.stringify(value)}`, '9110 5.5',
    { 'Sec-WebSocket-Key': value });
  // The last digit has bits that no byte has (RFC 4648, 3.5).
  for (const key of ['AAAAAAAAAAAAAAAAAAAAAB==', '/////////////////////x=='])
    add(`a key whose last bits are not zero, ${key}`, '4.2.1 (5)', { 'Sec-WebSocket-Key': key },
      { key, must: ['101', '400'] });
  for (const [name, section, changes] of [['field names in lower case', '4.2.1', (one) => one.toLowerCase()],
    ['field names in upper case', '4.2.1', (one) => one.toUpperCase()]]) {
    const [line, ...lines] = request(server).split('\r\n');
    const send = [line, ...lines.map((one) => one.replace(/^[^:]+/, changes))].join('\r\n');
    list.push({ name, section, key: KEY, send, must: ['101'], ways: EVERY_WAY });
  }
  add('Origin of its own', '4.2.1 (7)', { Origin: `${server.secure ? 'https' : 'http'}://${server.host}` },
    { ways: EVERY_WAY });
  for (const name of ['X', 'S', 'Sec', 'Sec-', 'Sec-WebSocket', 'Sec-WebSocket-', 'Sec-WebSocket-K',
    'Sec-WebSocket-Ver', 'Up', 'Conn', 'Ho',
    'Sec-WebSocket-Keys', 'Sec-WebSocket-Accept', 'Cookie', 'Pragma', 'User-Agent', 'Accept-Language'])
    add(`beside a field ${name}`, '4.2.1 (8)', { [name]: 'b' }, { ways: EVERY_WAY });
  return list;
}

// RFC 9112, 5.2: refused, or taken for spaces.
function folded(server) {
  return ['X', 'Sec-WebSocket-Protocol', 'Sec-WebSocket-Extensions', 'Origin', 'Cookie', 'User-Agent', 'Accept',
    'Sec', 'Upgrades', 'Connections', 'Pragma', 'Cache-Control']
    .flatMap((name) => ['a\r\n b', '\r\n\tb', 'a\r\n '].map((value) =>
      ({ name: `with ${name}: ${JSON.stringify(value)}`, section: '9112 5.2', key: KEY,
      send: request(server, { [name]: value }),
      protocols: ['a b', 'a', 'b'], must: ['400', '101', '403'], should: ['400'] })));
}

function subprotocolsAndExtensions(server) {
  const list = [];
  for (const value of ['soap', 'soap, wamp', 'wsfan', 'signal', 'http', 'listener', 'chat, superchat'])
    list.push({ name: `subprotocols ${value}`, section: '4.2.2 (5)', key: KEY, protocols: tokens(value),
      ways: EVERY_WAY,
      send: request(server, { 'Sec-WebSocket-Protocol': value }), must: ['101', '400', '403', '404'] });
  for (const value of ['permessage-deflate', 'permessage-deflate; client_max_window_bits',
    'x-webkit-deflate-frame', 'foo, bar; baz=2',
    'permessage-deflate; server_max_window_bits=10, permessage-deflate', 'foo; bar="quoted"'])
    list.push({ name: `extensions ${value}`, section: '9.1', key: KEY,
      extensions: tokens(value).map((one) => one.split(';')[0]),
      ways: EVERY_WAY, send: request(server, { 'Sec-WebSocket-Extensions': value }), must: ['101'] });
  for (const value of ['permessage-deflate; client_max_window_bits=99', ';;;=,,"', ',', 'foo;;bar', 'foo; =1', ''])
    list.push({ name: `extensions ${JSON.stringify(value)}, malformed`, section: '9.1', key: KEY,
      extensions: ['permessage-deflate'], ways: EVERY_WAY,
      send: request(server, { 'Sec-WebSocket-Extensions': value }), must: ['101', '400'] });
  return list;
}

function refusedFields(server) {
  const list = [];
  const add = (name, section, changes, must = REFUSED, more = {}) =>
    list.push({ name, section, key: KEY, send: request(server, changes), must, ...more });
  add('without Host', '4.2.1 (2)', { Host: null }, ['400', '101'], { should: REFUSED }); // node takes it
  add('without Upgrade', '4.2.1 (3)', { Upgrade: null }, NO_WEBSOCKET);
  for (const value of ['', 'foo', 'websockets', 'websocke', 'web socket', 'h2c'])
    add(`Upgrade: ${JSON.stringify(value)}`, '4.2.1 (3)', { Upgrade: value }, NO_WEBSOCKET);
  add('without Connection', '4.2.1 (4)', { Connection: null }, NO_WEBSOCKET);
  for (const value of ['', 'keep-alive', 'close', 'Upgraded', 'Up grade', 'Upgrade-Insecure'])
    add(`Connection: ${JSON.stringify(value)}`, '4.2.1 (4)', { Connection: value }, NO_WEBSOCKET);
  add('without a key', '4.2.1 (5)', { 'Sec-WebSocket-Key': null });
  const all = 'AAAAAAAAAAAAAAAAAAAAAA==';
  for (const [name, key] of [['empty', ''], ['of 3 bytes', 'AAAA'], ['of 15 bytes', 'AAAAAAAAAAAAAAAAAAAA'],
    ['of 17 bytes', 'AAAAAAAAAAAAAAAAAAAAAAA='], ['of 18 bytes', 'AAAAAAAAAAAAAAAAAAAAAAAA'],
    ['of 500 characters', 'A'.repeat(500)],
    ['without padding', 'AAAAAAAAAAAAAAAAAAAAAA'], ['with half a padding', 'AAAAAAAAAAAAAAAAAAAAAA='],
    ['with too much padding', 'AAAAAAAAAAAAAAAAAAAAAA==='], ['with padding within', 'AAAAAAAAAA==AAAAAAAAAAAA'],
    ['in base64url', 'AAAAAAAAAAAAAAAAAAAA-_A=='], ['in base64url of 24 characters', '-_AAAAAAAAAAAAAAAAAAAA=='],
    ['with a blank within', 'AAAAAAAAAAA AAAAAAAAAA=='], ['in quotes', `"${all}"`],
    ['twice in a line', `${all}, ${all}`],
    ['not of ASCII', 'AAAAAAAAAAAAAAAAAAAA\xe9A=='], ['of other signs', 'AAAAAAAAAAAA!AAAAAAAAA==']])
    add(`a key ${name}`, '4.2.1 (5)', { 'Sec-WebSocket-Key': key });
  for (const keys of [[all, all], [KEY, all]]) add(`two keys, ${keys[0] === all ? 'alike' : 'different'}`,
    '11.3.1', { 'Sec-WebSocket-Key': keys });
  return list;
}

// 4.2.2 (4), 4.4: a version that is not understood is answered by those that are.
const toldVersion = ({ fields }) => (tokens(fields.get('sec-websocket-version')).includes('13') ? undefined
  : 'no Sec-WebSocket-Version in the answer (4.4)');

function versions(server) {
  const list = [];
  const add = (name, value, more) => list.push({ name, section: '4.2.1 (6), 4.4', key: KEY, must: ['426', '400'],
    send: request(server, { 'Sec-WebSocket-Version': value }), check: toldVersion, ways: EVERY_WAY, ...more });
  add('without a version', null, { check: undefined });
  for (const value of ['0', '1', '7', '9', '12', '14', '25', '99', '113', '130', '131', '255', '256', '269',
    '1313', '4294967309'])
    add(`version ${value}`, value, { should: ['426'] });
  // ws takes these.
  for (const value of ['8', '013', '13.0', '+13', '0xd'])
    add(`version ${value}`, value, { must: ['101', '426', '400'], should: ['426', '400'], check: undefined });
  for (const value of ['', 'x', '-13', '13x', '1 3', '13;', '"13"']) add(`version ${JSON.stringify(value)}`, value,
    { check: undefined });
  for (const value of ['13, 8', '8, 13', '13, 13']) add(`version ${value}`, value,
    { must: ['426', '400', '101'], check: undefined });
  for (const value of [['13', '13'], ['8', '13'], ['13', '99']])
    add(`versions ${value} in two lines`, value, { must: ['426', '400', '101'], should: ['426', '400'],
      check: undefined });
  return list;
}

function lines(server) {
  const list = [];
  const target = `${server.websocket}?chat=handshake&user=u`;
  const add = (name, section, line, must, more = {}) =>
    list.push({ name, section, key: KEY, must, send: request(server, {}, line), ...more });
  for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH'])
    add(`method ${method}`, '4.2.1 (1)', `${method} ${target} HTTP/1.1`, ['400', '404', '405', '501', '426']);
  add('method HEAD', '4.2.1 (1)', `HEAD ${target} HTTP/1.1`, ['400', '404', '405', '501', '426'],
    { methods: ['HEAD'] });
  for (const method of ['get', 'GETS', 'WEBSOCKET']) add(`method ${method}`, '4.2.1 (1)',
    `${method} ${target} HTTP/1.1`, ['400', '405', '501']);
  // RFC 9110, 7.8: Upgrade in HTTP/1.0 MUST be ignored. ws takes it.
  add('in HTTP/1.0', '4.2.1 (1)', `GET ${target} HTTP/1.0`, ['101', ...NO_WEBSOCKET, '505'],
    { should: [...NO_WEBSOCKET, '505'] });
  for (const version of ['HTTP/0.9', 'HTTP/2.0'])
    add(`in ${version}`, '4.2.1 (1)', `GET ${target} ${version}`, ['400', '505', '101'], { should: ['400', '505'] });
  for (const version of ['HTTP/1.', 'HTTP/11', 'http/1.1', 'XTTP/1.1'])
    add(`in ${version}`, '4.2.1 (1)', `GET ${target} ${version}`, ['400', '505']);
  add('in absolute form', '4.2.1 (1)', `GET http://${server.host}${target} HTTP/1.1`, ['101']);
  add('on another path', '4.2.2 (4)', `GET ${server.missing} HTTP/1.1`, ['404', '400', '403', '426']);
  return list;
}

function packets(server) {
  const list = [];
  const bytes = request(server);
  for (let at = 1; at < bytes.length; at += bytes.length - at < 5 || at < 5 ? 1 : 3)
    list.push({ name: `in packets of ${at} and the rest`, section: '4.2.1', key: KEY, send: cut(bytes, at),
      must: ['101'] });
  list.push({ name: 'byte by byte', section: '4.2.1', key: KEY, send: oneByOne(bytes), must: ['101'],
    ways: EVERY_WAY });
  return list;
}

function bodies(server) {
  const list = [];
  const add = (name, changes, body, must) => list.push({ name, section: '4.1 (1), 1.2', key: KEY, must,
    send: request(server, changes) + body });
  add('with Content-Length: 0', { 'Content-Length': '0' }, '', ['101', '400']);
  add('with a body', { 'Content-Length': '5' }, 'abcde', ['101', '400', '413', '426']);
  add('with a chunked body', { 'Transfer-Encoding': 'chunked' }, '5\r\nabcde\r\n0\r\n\r\n',
    ['101', '400', '501', '426']);
  add('with a bad length', { 'Content-Length': '0x5' }, '', ['400']);
  add('with a length and chunked', { 'Content-Length': '5', 'Transfer-Encoding': 'chunked' }, '0\r\n\r\n',
    ['400', '501']);
  return list;
}

export const cases = (server) => [...taken(server), ...folded(server), ...subprotocolsAndExtensions(server),
  ...refusedFields(server),
  ...versions(server), ...lines(server), ...packets(server), ...bodies(server)]
  .map((one) => ({ ...one, name: `a handshake ${one.name}` }));
