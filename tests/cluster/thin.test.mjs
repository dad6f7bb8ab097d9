// The edge of thin-client: what it takes, what it refuses, and that nobody holds it up.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { raw } from './client.mjs';
import { root, scenario } from './replica.mjs';

const program = process.env.THIN_CLIENT || `${root}build/examples/thin-client/thin-client`;

async function service(world, ...more) {
  const { descriptors = 4096 } = typeof more.at(-1) === 'object' ? more.pop() : {};
  const alpha = await world.replica({ name: 'alpha' });
  const directory = mkdtempSync(join(tmpdir(), 'wsfan-thin-'));
  world.closing(() => rmSync(directory, { recursive: true, force: true }));
  const child = world.run('sh', ['-c', `ulimit -n ${descriptors} && exec "$0" "$@"`, program, '--store', join(directory, 'store'), '--sockets', 'ws://127.0.0.1:1',
    '--listen', '0', '--mesh', 'tcp://127.0.0.1:*', '--join', alpha.mesh, ...more]);
  const [, page] = await child.printed(/^ready: page (\S+)$/m);
  const ask = (path, { method = 'GET', headers = {}, body } = {}) => new Promise((resolve, reject) => {
    const request = http.request(new URL(path, page), { method, headers }, (response) => {
      const parts = [];
      response.on('data', (part) => parts.push(part));
      response.on('end', () => resolve({ status: response.statusCode, text: Buffer.concat(parts).toString() }));
    });
    request.on('error', reject);
    request.end(body);
  });
  const items = async (chat) => JSON.parse((await ask(`items?chat=${chat}`)).text).map(({ text }) => text);
  const post = (body, headers = { 'content-type': 'application/json' }) =>
    ask('items', { method: 'POST', headers, body });
  const end = async () => assert.deepEqual(await child.kill('SIGTERM'), { code: 0, signal: null }, child.story());
  return { port: Number(new URL(page).port), ask, items, post, end };
}

const item = (text, chat = 'c') => JSON.stringify({ chat, user: 'u', text });

scenario('a text that cannot be kept whole is refused, and what is stored is as it came', async (world) => {
  const { items, post, end } = await service(world);
  for (const [body, status] of [
    [item('good'), 201], [item('\u{1f600} \u2028 \u0001 " \\ /'), 201],
    ['{"chat":"c","user":"u","text":"abc\\u0000def"}', 422], ['{"chat":"c","user":"u","text":"\\udc00"}', 422],
    ['{"chat":"c\\u0000d","user":"u","text":"x"}', 422],
    [Buffer.from('{"chat":"c","user":"u","text":"\xff"}', 'latin1'), 422],
    [`${item('x')} y`, 422], ['[]', 422], ['7', 422], ['['.repeat(30000), 422],
    [item(''), 422], [item('x'.repeat(4097)), 422], ['x'.repeat(40000), 413], ['', 411]])
    assert.equal((await post(body)).status, status, String(body).slice(0, 80));
  assert.deepEqual(await items('c'), ['good', '\u{1f600} \u2028 \u0001 " \\ /']);
  await end();
});

scenario('only JSON is taken, and only pages of its own may post it', async (world) => {
  const { port, items, post, ask, end } = await service(world, '--host', 'rest.example');
  const json = 'application/json';
  for (const [headers, status] of [
    [{ 'content-type': 'text/plain' }, 415], [{ 'content-type': 'application/jsonp' }, 415],
    [{ 'content-type': 'multipart/form-data; boundary=x' }, 415], [{}, 201], [{ 'content-type': json }, 201],
    [{ 'content-type': `${json}; charset=utf-8` }, 201], [{ 'content-type': 'Application/JSON' }, 201],
    [{ origin: 'http://evil.example' }, 403], [{ origin: 'null', 'content-type': json }, 403],
    [{ origin: 'http://evil.example', 'content-type': 'text/plain' }, 403],
    [{ origin: `http://127.0.0.1:${port}`, 'content-type': json }, 201],
    [{ host: 'evil.example', origin: 'http://evil.example', 'content-type': json }, 421],
    [{ host: 'rest.example', origin: 'http://rest.example', 'content-type': json }, 201]])
    assert.equal((await post(item('x'), headers)).status, status, JSON.stringify(headers));
  for (const path of ['', 'items?chat=c', 'about'])
    assert.equal((await ask(path, { headers: { host: 'evil.example' } })).status, 421);
  for (const path of ['/?%0a', '/items?chat=c%0a', '/about?%0a', '/about?%0aHost:127.0.0.1', '/about?%0ahttp/1.1'])
    assert.match(await raw(port, `GET ${path} HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n`, 20000),
      /^HTTP\/1\.\d (400|421) /, path);
  assert.equal((await items('c')).length, 6);
  await end();
});

scenario('a list that is long comes in parts', async (world) => {
  const { ask, post, end } = await service(world);
  for (let i = 0; i < 30; i++) await post(item(`${i}${'\u0001'.repeat(4000)}`));
  const texts = [];
  for (let after = 0, part = null; part === null || part.length > 0;) {
    const { text } = await ask(`items?chat=c&after=${after}`);
    assert.ok(text.length < 128 * 1024);
    part = JSON.parse(text);
    for (const one of part) texts.push(parseInt(one.text, 10));
    after = part.at(-1)?.item;
  }
  assert.deepEqual(texts, Array.from({ length: 30 }, (_, i) => i));
  await end();
});

scenario('at its limit of descriptors others wait', async (world) => {
  const { port, post, end } = await service(world, { descriptors: 64 });
  const sockets = [];
  for (let i = 0; i < 100; i++) {
    const socket = net.connect(port, '127.0.0.1');
    world.closing(() => socket.destroy());
    socket.on('error', () => {});
    sockets.push(socket);
  }
  const posted = post(item('x'));
  for (const socket of sockets) socket.destroy();
  assert.equal((await posted).status, 201);
  await end();
});

scenario('names in its URL are whole, and a bad position is told', async (world) => {
  const { ask, items, post, end } = await service(world);
  for (const chat of ['a', 'a;b', 'a&b', 'a;c']) await post(item(`in ${chat}`, chat));
  for (const [query, texts] of [['a', ['in a']], ['a;b', ['in a;b']], ['a%3Bb', ['in a;b']],
    ['a%26b', ['in a&b']], ['a;c', ['in a;c']]])
    assert.deepEqual(await items(query), texts, query);
  for (const query of ['', 'chat=', 'chat=%ff', 'xchat=c', 'after=1', 'chat=a&chat=b', `chat=${'c'.repeat(129)}`,
    'chat=c&after=abc', 'chat=c&after=-1', 'chat=c&after=', 'chat=c&after=1x', 'chat=c&after=99999999999999999999'])
    assert.equal((await ask(`items?${query}`)).status, 400, query);
  await end();
});

scenario('no request and no order of them keeps it from answering others', async (world) => {
  const { port, items, post, end } = await service(world);
  const host = 'Host: 127.0.0.1\r\n';
  const close = 'Connection: close\r\n';
  const whole = (more) => `POST /items HTTP/1.1\r\n${host}${more}Content-Length: ${item('x').length}\r\n\r\n${item('x')}`;
  const bad = () => `POST /items HTTP/1.1\r\n${host}Content-Length: x\r\n\r\n`;
  const requests = [whole, bad, (more) => `GET /about HTTP/1.1\r\n${host}${more}\r\n`,
    (more) => `GET / HTTP/1.1\r\n${host}${more}\r\n`, (more) => `POST /items HTTP/1.1\r\n${host}${more}\r\n`,
    (more) => `POST /items HTTP/1.1\r\n${host}${more}Content-Length: 0\r\n\r\n`,
    (more) => `POST /items HTTP/1.1\r\n${host}${more}Transfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n`,
    (more) => `POST /nope HTTP/1.1\r\n${host}${more}Content-Length: 5\r\n\r\nabcde`,
    (more) => `PUT /items HTTP/1.1\r\n${host}${more}\r\n`,
    (more) => `GET /ws HTTP/1.1\r\n${host}${more}Upgrade: websocket\r\nConnection: Upgrade\r\n` +
      'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n'];
  let stored = 0;
  for (const first of requests)
    for (const second of requests) {
      const answer = await raw(port, first('') + second(close), 20000);
      assert.equal([...answer.matchAll(/HTTP\/1\.1 \d+/g)].length, first === bad ? 1 : 2,
        `${first('')}${second(close)}---\n${answer}`);
      stored += (first === whole) + (first !== bad && second === whole);
    }
  assert.equal((await items('c')).length, stored);
  assert.equal((await post(item('still here'))).status, 201);
  await end();
});
