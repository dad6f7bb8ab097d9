// The edge of echo-chat: what one connection, one name, one path or one signal may not do to everybody else.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { haproxy, nginx } from './balancers.mjs';
import { Client, frame, handshake, raw } from './client.mjs';
import { binary, scenario, until } from './replica.mjs';

const portOf = (server) => Number(new URL(server.page).port);
const statuses = (answer) => [...answer.matchAll(/HTTP\/1\.1 (\d+) /g)].map(([, code]) => Number(code));

function tokenFile(world, text) {
  const path = mkdtempSync(join(tmpdir(), 'wsfan-edge-'));
  world.closing(() => rmSync(path, { recursive: true, force: true }));
  writeFileSync(join(path, 'token'), `${text}\n`);
  return join(path, 'token');
}

async function healthy(server) {
  assert.equal((await fetch(new URL('healthz', server.page))).status, 200);
}

const get = (path, headers = '') => `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n${headers}\r\n`;
const post = (path, headers, body = '') =>
  `POST ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n${headers}\r\n${body}`;

scenario('requests of one connection are answered in their order, each as if it were alone', async (world) => {
  const file = tokenFile(world, 'say it');
  const alpha = await world.replica({ name: 'alpha', args: ['--publish-token', file] });
  const length = 'Content-Length: 5\r\n';
  const chunked = 'Transfer-Encoding: chunked\r\n';
  const publish = (token, more) => post('/publish',
    `Authorization: Bearer ${token}\r\nContent-Length: 25\r\n${more}`, '{"chat":"c","text":"abc"}');
  // A body that is refused before it has come ends the connection.
  const wrong = (more) => publish('wrong', more);
  const requests = [(more) => get('/', more), (more) => get('/healthz', more), (more) => get('/chats', more),
    (more) => get('/nope', more), (more) => post('/', length + more, 'abcde'),
    (more) => post('/kick?user=x', length + more, 'abcde'), (more) => post('/kick?user=x', more),
    (more) => post('/kick?user=x', chunked + more, '5\r\nabcde\r\n0\r\n\r\n'), (more) => post('/', more),
    (more) => post('/chats', length + more, 'abcde'), (more) => publish('say it', more), wrong,
    (more) => post('/publish', more)];
  const upgrade = () => 'GET /ws?chat=c&user=u HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n' +
    'Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n' +
    'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n';
  const close = 'Connection: close\r\n';
  const ask = (text) => raw(portOf(alpha), Buffer.concat([Buffer.from(text),
    text.endsWith(upgrade()) ? Buffer.from([0x88, 0x80, 1, 2, 3, 4]) : Buffer.alloc(0)]), 20000);
  const alone = new Map();
  for (const request of [...requests, upgrade]) {
    alone.set(request, statuses(await ask(request(close))));
    assert.equal(alone.get(request).length, 1, request(close));
  }
  for (const first of requests)
    for (const second of [...requests, upgrade]) {
      const answer = await ask(first('') + second(close));
      assert.deepEqual(statuses(answer), [...alone.get(first), ...(first === wrong ? [] : alone.get(second))],
        `${first('')}${second(close)}---\n${answer}`);
    }
  await healthy(alpha);
});

scenario('a POST without a length has no body, and what two might read differently is refused', async (world) => {
  const alpha = await world.replica({ name: 'alpha' });
  const chunked = 'Transfer-Encoding: chunked\r\n';
  const close = 'Connection: close\r\n';
  const smuggled = get('/healthz');
  for (const [headers, body, expected] of [
    [close, '', 200], [`${close}Content-Length: 0\r\n`, '', 200], [`${close}Content-Length: 5\r\n`, 'abcde', 200],
    [close + chunked, `5\r\nabcde\r\n0\r\n\r\n`, 200], ['Transfer-Encoding: identity\r\n', '', 400],
    ['Transfer-Encoding: gzip, chunked\r\n', `0\r\n\r\n${smuggled}`, 501],
    [`Content-Length: 5\r\n${chunked}`, `0\r\n\r\n${smuggled}`, 400],
    [`${chunked}Content-Length: 5\r\n`, `0\r\n\r\n${smuggled}`, 400],
    ['Content-Length: 0\r\nContent-Length: 37\r\n', smuggled, 400],
    ['Content-Length: 37\r\nContent-Length: 0\r\n', smuggled, 400],
    ['Content-Length: +5\r\n', smuggled, 400], ['Content-Length: 0x10\r\n', smuggled, 400],
    ['Content-Length: -1\r\n', smuggled, 400], ['Content-Length: 1 2\r\n', smuggled, 400],
    ['Content-Length: 99999999999999999999\r\n', smuggled, 400],
  ]) {
    const answer = await raw(portOf(alpha), post('/kick?user=nobody', headers, body), 20000);
    assert.deepEqual(statuses(answer), [expected], `${headers}${answer}`);
  }
  await healthy(alpha);
});

scenario('behind a balancer that reuses connections nobody gets the request of another', async (world) => {
  const replicas = await world.cluster('alpha', 'beta', 'gamma');
  const { host } = await haproxy(world, replicas, 'examples/haproxy.cfg');
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  world.closing(() => agent.destroy());
  const honest = () => new Promise((resolve, reject) => {
    const request = http.get(`http://${host}/healthz`, { agent }, (response) => {
      response.resume();
      response.on('end', () => resolve(response.statusCode));
    });
    request.on('error', reject);
  });
  assert.equal(await honest(), 200);
  for (let i = 0; i < 30; i++) {
    const socket = net.connect(Number(host.split(':')[1]), '127.0.0.1');
    world.closing(() => socket.destroy());
    socket.on('error', () => {});
    let answer = '';
    socket.on('data', (data) => { answer += data.toString('latin1'); });
    socket.write(get('/healthz'));
    await until('the first answer', () => statuses(answer).length === 1);
    socket.write(post('/kick?user=nobody', ''));
    await until('the second answer', () => statuses(answer).length === 2);
    socket.destroy();
    assert.equal(await honest(), 200);
  }
});

async function pathsHold(world, start) {
  const replicas = await world.cluster('alpha', 'beta', 'gamma');
  const { host } = await start(world, replicas);
  const port = Number(host.split(':')[1]);
  const ann = await Client.join(world, replicas[0], 'lobby', 'ann');
  const spellings = (path) => [`/${path}`, `//${path}`, `/./${path}`, `/x/../${path}`, `/x/%2e%2e/${path}`,
    `/%${path.charCodeAt(0).toString(16)}${path.slice(1)}`, `/${path}/`, `/${path}%00`, `/../${path}`,
    `/${path}%3fx`, `http://127.0.0.1/${path}`, `http://127.0.0.1//${path}`, `\\${path}`,
    ...['', 'ws', 'owner', 'healthz'].flatMap((open) => [`/${open}#/../${path}`, `/${open}%0a/../${path}`,
      `/${open}%23/../${path}`, `/${open}/../${path}`, `/${open}?/../../${path}`.replace('?/', ';/'),
      `http://127.0.0.1/${open}#/../${path}`])];
  for (const path of ['kick', 'stats', 'chats', 'nodes', 'users/ann', 'publish'])
    for (const spelling of spellings(path))
      for (const request of [get(`${spelling}?user=ann`, 'Connection: close\r\n'),
        post(`${spelling}?user=ann`, 'Connection: close\r\nContent-Length: 0\r\n')]) {
        const answer = await raw(port, request, 20000) || 'HTTP/1.1 400 ';
        const open = /<!doctype html>|"ready":|"status":"ok"/.test(answer); // what anybody may see
        assert.ok(open || (statuses(answer)[0] >= 400 && statuses(answer)[0] < 500), `${request} got ${answer}`);
      }
  const page = new Client(world, `ws://${host}/ws?chat=lobby&user=ben`, { origin: `http://${host}` });
  await page.frame(({ type }) => type === 'joined');
  for (const path of ['', 'healthz', 'readyz', 'owner?chat=lobby'])
    assert.equal((await fetch(`http://${host}/${path}`)).status, 200, path);
  ann.say('still here');
  await ann.frame(({ text }) => text === 'still here');
}

scenario('nginx passes the paths of clients and no other, however it is spelled',
  (world) => pathsHold(world, nginx));
scenario('HAProxy passes the paths of clients and no other, however it is spelled',
  (world) => pathsHold(world, haproxy));

scenario('a name in a URL may hold what divides a query elsewhere, and is never cut', async (world) => {
  const alpha = await world.replica({ name: 'alpha' });
  const enter = async (query) => {
    const client = new Client(world, `ws://${alpha.host}/ws?${query}`);
    await until('it has an answer', () => client.closed || client.of('joined')[0]);
    return client;
  };
  const names = { 'a;b': 'a;b', 'a;c': 'a;c', 'a%3Bb': 'a;b', 'a%26b': 'a&b', 'a%26c': 'a&c', 'a;;b': 'a;;b',
    'a;b;c': 'a;b;c', 'a%3D1': 'a=1', 'a;%26': 'a;&', 'a;b=1': 'a;b=1', 'a;': 'a;' };
  for (const [written, name] of Object.entries(names)) {
    const client = await enter(`chat=${written}&user=${written}`);
    assert.equal(client.closed, null, written);
    client.say('hello');
    const { chat, user } = await client.frame(({ type }) => type === 'message');
    assert.deepEqual([chat, user], [name, name], written);
  }
  for (const query of ['chat=a&b&user=u', 'chat=a&user=u&b=1', 'chat=a&chat=b&user=u', 'chat=a&user=u&user=v',
    'chat=a&user=v&user=u', 'chat=a&user=u&', 'chat=a&&user=u']) {
    const { code, reason } = await (await enter(query)).close();
    assert.equal(code, 1008, query);
    assert.match(reason, /%26/);
  }
  // The same where a name decides who is kicked.
  const kept = await enter('chat=c&user=x');
  const gone = await enter('chat=c&user=x%3By');
  const kick = (query) => fetch(new URL(`kick?${query}`, alpha.page), { method: 'POST' });
  assert.equal((await kick('user=x;y')).status, 200);
  assert.equal((await gone.close()).code, 4001);
  for (const query of ['user=x&y=1', 'user=x&y', 'user=x&user=z'])
    assert.equal((await kick(query)).status, 400, query);
  kept.say('still here');
  await kept.frame(({ text }) => text === 'still here');
});

scenario('a page belongs to this server by a name that it has, whatever DNS says', async (world) => {
  const alpha = await world.replica({ name: 'alpha', args: ['--public', 'http://front.example:8080'] });
  const named = await world.replica({ name: 'named', args: ['--host', 'chat.example'] });
  const open = await world.replica({ name: 'open', args: ['--origin', '*'] });
  const listed = await world.replica({ name: 'listed', args: ['--origin', 'https://chat.example:443'] });
  const guarded = await world.replica({ name: 'guarded', args: ['--token', tokenFile(world, 'sesame')],
    headers: { authorization: 'Bearer sesame' } });
  const ask = (server, path, headers, method = 'GET') => new Promise((resolve, reject) => {
    const request = http.request({ host: '127.0.0.1', port: portOf(server), path, method,
      headers: { ...server.headers, ...headers } }, (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    request.on('error', reject);
    request.end();
  });
  const enter = async (server, headers) => {
    const client = new Client(world, server.address('lobby', 'me'), { headers: { ...server.headers, ...headers } });
    await until('it has an answer', () => client.error || client.frames[0]);
    client.socket.terminate();
    return client.error ? Number(/response: (\d+)/.exec(client.error.message)[1]) : 101;
  };
  for (const path of ['/', '/stats', '/metrics', '/chats', '/users?user=me', '/nodes', '/kick?user=me'])
    for (const end of ['%0a', '%0d', '%0d%0a', '%0aX:', '%0aHost:127.0.0.1', '%0ahttp/1.1', '%0ahttp/1.1%0aHost:a',
      '%20HTTP/1.0%0a'])
      for (const [method, more] of [['GET', ''], ['POST', 'Content-Length: 0\r\n']]) {
        const answer = await raw(portOf(alpha), `${method} ${path}${path.includes('?') ? '' : '?'}${end} ` +
          `HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n${more}\r\n`, 20000);
        assert.match(answer, /^(HTTP\/1\.\d (400|403|421) |$)/, `${method} ${path} ${end}`);
      }
  assert.match(await raw(portOf(alpha), 'GET /stats HTTP/1.1\r\n\r\n', 20000), /^HTTP\/1\.1 400 /);
  const rebound = { host: 'evil.example:80', origin: 'http://evil.example' };
  for (const server of [alpha, named, listed])
    for (const path of ['/', '/stats', '/metrics', '/chats', '/users/me', '/nodes', '/owner?chat=a'])
      assert.equal(await ask(server, path, { host: 'evil.example' }), 421, `${server.name} ${path}`);
  for (const server of [alpha, named, listed]) {
    assert.equal(await ask(server, '/kick?user=x', rebound, 'POST'), 421);
    assert.equal(await enter(server, rebound), 403);
    assert.equal(await enter(server, { ...rebound, host: '127.0.0.1.evil.example:80',
      origin: 'http://127.0.0.1.evil.example' }), 403);
    for (const path of ['/healthz', '/readyz'])
      assert.equal(await ask(server, path, { host: 'evil.example' }), 200);
  }
  for (const [server, host, origin] of [
    [alpha, `127.0.0.1:${portOf(alpha)}`, `http://127.0.0.1:${portOf(alpha)}`],
    [alpha, 'localhost:1', 'http://localhost:1'], [alpha, 'a.localhost', 'http://a.localhost'],
    [alpha, '[2001:db8::1]:1', 'http://[2001:db8::1]:1'], [alpha, 'front.example', 'http://front.example'],
    [named, 'chat.example', 'http://chat.example'], [named, 'Chat.Example:80', 'http://chat.example'],
    [named, 'chat.example', 'https://chat.example:443'], [named, 'chat.example:443', 'https://chat.example'],
    [open, 'evil.example', 'http://evil.example'], [open, 'x', 'https://y'],
    [listed, 'chat.example', 'https://chat.example'], [listed, '127.0.0.1', 'https://chat.example'],
    [guarded, 'evil.example', 'http://evil.example']]) {
    assert.equal(await enter(server, { host, origin }), 101, `${server.name} ${host} ${origin}`);
    if (server !== listed)
      assert.equal(await ask(server, '/kick?user=x', { host, origin }, 'POST'),
        host === 'x' ? 403 : 200, `${server.name} ${host} ${origin}`);
  }
  for (const [server, host, origin] of [
    [named, 'chat.example', 'http://chat.example:8080'], [named, 'chat.example:80', 'https://chat.example'],
    [named, 'chat.example', 'ftp://chat.example'], [named, 'chat.example', 'http://chat.example/'],
    [named, 'chat.example', 'http://evil://chat.example'], [named, 'chat.example', 'chat.example'],
    [named, 'chat.example', 'http://evil@chat.example'], [named, 'chat.example:', 'http://chat.example'],
    [listed, 'chat.example', 'http://chat.example'], [listed, 'chat.example', 'https://chat.example:8443']])
    assert.equal(await enter(server, { host, origin }), 403, `${server.name} ${host} ${origin}`);
});

scenario('what came before a reset is taken, and the connection ends at once', async (world) => {
  const alpha = await world.replica({ name: 'alpha', args: ['--publish-token', tokenFile(world, 'say it')] });
  const listener = await Client.join(world, alpha, 'lobby');
  const body = '{"chat":"lobby","text":"by POST"}';
  const last = [];
  // A text is echoed, which finds the reset, too; to who is alone and says no whole text nothing is sent.
  for (const [chat, data] of [['lobby', frame(0x81, 'by WebSocket')], ['one', frame(0x8a, 'pong')],
    ['two', frame(0x81, 'half').subarray(0, 7)]])
    last.push({ data, socket: await handshake(world, alpha.address(chat, chat)) });
  await until('they are in', async () => (await alpha.stats()).joins_pending === 0);
  for (const data of [get('/chats'), get('/'), get('/nope'), 'GET / HT',
    post('/publish', `Authorization: Bearer say it\r\nContent-Length: ${body.length}\r\n`, body)])
    last.push({ data, socket: net.connect(portOf(alpha), '127.0.0.1').on('error', () => {}) });
  await until('they are there', async () => (await alpha.stats()).connections >= 1 + last.length);
  // While it is stopped, so that it finds the data and the reset together.
  alpha.process.kill('SIGSTOP');
  for (const { socket, data } of last) {
    socket.write(data);
    socket.resetAndDestroy();
  }
  await until('they are reset', () => last.every(({ socket }) => socket.closed));
  alpha.process.kill('SIGCONT');
  for (const said of ['by WebSocket', 'by POST']) await listener.frame(({ text }) => text === said);
  await until('they have gone', async () => {
    const { clients, sessions, connections } = await alpha.stats();
    return clients.open === 1 && sessions === 1 && connections <= 3; // the listener's, and of those that ask
  });
  listener.say('still here');
  await listener.frame(({ text }) => text === 'still here');
});

scenario('at the limit of descriptors clients wait, and nobody loses anything', async (world) => {
  const alpha = await world.replica({ name: 'alpha', mesh: null, descriptors: 64 });
  const first = await Client.join(world, alpha, 'lobby', 'first');
  const sockets = [];
  for (let i = 0; i < 100; i++) {
    const socket = net.connect(portOf(alpha), '127.0.0.1');
    world.closing(() => socket.destroy());
    socket.on('error', () => {});
    sockets.push(socket);
  }
  const late = new Client(world, alpha.address('lobby', 'late'));
  first.say('still here');
  await first.frame(({ text }) => text === 'still here');
  assert.equal(late.frames.length, 0);
  for (const socket of sockets) socket.destroy();
  await late.frame(({ type }) => type === 'joined');
  assert.equal((await alpha.stats()).clients.max, 30);
});

scenario('fewer descriptors than clients are asked for is told', async (world) => {
  const alpha = await world.replica({ name: 'alpha', mesh: null, descriptors: 64, args: ['--clients', '50'] });
  assert.match(alpha.stderr, /^echo-chat: --clients 50: there are descriptors for 30; raise .*\n$/);
  alpha.stderr = '';
});

scenario('who has no token takes no place of those who publish', async (world) => {
  const alpha = await world.replica({ name: 'alpha',
    args: ['--publish-token', tokenFile(world, 'say it')] });
  let refused = 0;
  for (let i = 0; i < 300; i++) {
    const socket = net.connect({ port: portOf(alpha), host: '127.0.0.1', allowHalfOpen: true });
    world.closing(() => socket.destroy());
    socket.on('error', () => {});
    socket.on('data', (data) => { refused += statuses(data.toString())[0] === 401; });
    socket.write(post('/publish', 'Content-Length: 1000\r\n', 'x'));
  }
  await until('they are told so before their bodies have come', () => refused === 300);
  const answer = await fetch(new URL('publish', alpha.page), { method: 'POST',
    headers: { authorization: 'Bearer say it' }, body: '{"chat":"c","text":"x"}' });
  assert.equal(answer.status, 200);
});

scenario('a text that cannot be kept whole is refused, not cut', async (world) => {
  const alpha = await world.replica({ name: 'alpha', args: ['--publish-token', tokenFile(world, 'say it')] });
  const listener = await Client.join(world, alpha, 'c');
  const publish = async (body) => (await fetch(new URL('publish', alpha.page), { method: 'POST',
    headers: { authorization: 'Bearer say it' }, body })).status;
  for (const [body, status] of [['{"chat":"c","text":"abc\\u0000def"}', 422],
    ['{"chat":"c\\u0000x","text":"x"}', 422], ['{"chat":"c","text":"\\ud800"}', 422],
    ['{"chat":"c","ch\\u0000":1,"text":"x"}', 422], ['{"chat":"c","chat":"d","text":"x"}', 422],
    [Buffer.from('{"chat":"c","text":"\xff"}', 'latin1'), 422], ['{"chat":"c","text":"x"}\0', 400],
    ['{"chat":"c","text":"x"} y', 400], ['["chat"]', 422], ['"chat"', 422], ['['.repeat(30000), 400]])
    assert.equal(await publish(body), status, String(body));
  const text = '\u{1f600} \u2028 \u0001 " \\ /';
  assert.equal(await publish(JSON.stringify({ chat: 'c', text })), 200);
  const got = await listener.frame(({ type }) => type === 'message');
  assert.equal(got.text, text);
  assert.equal(listener.messages.length, 1);
});

scenario('an Idempotency-Key is taken whole, or refused', async (world) => {
  const alpha = await world.replica({ name: 'alpha', args: ['--publish-token', tokenFile(world, 'say it')] });
  const body = '{"chat":"c","text":"x"}';
  for (const [key, status] of [['a\0b', 400], ['k'.repeat(129), 400], ['k'.repeat(128), 200]]) {
    const answer = await raw(portOf(alpha), post('/publish', 'Authorization: Bearer say it\r\n' +
      `Connection: close\r\nIdempotency-Key: ${key}\r\nContent-Length: ${body.length}\r\n`, body), 20000);
    assert.deepEqual(statuses(answer), [status]);
  }
});

scenario('a handshake that is none of RFC 6455 is refused', async (world) => {
  const alpha = await world.replica({ name: 'alpha' });
  const whole = { Host: '127.0.0.1', Upgrade: 'websocket', Connection: 'Upgrade', 'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Key': 'AAAAAAAAAAAAAAAAAAAAAA==' };
  const shake = async (change, line = 'GET /ws?chat=c&user=u HTTP/1.1') => {
    const headers = Object.entries({ ...whole, ...change }).filter(([, value]) => value !== null);
    const answer = await raw(portOf(alpha), `${line}\r\n` +
      `${headers.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`, 500);
    return Number(/^HTTP\/1\.\d (\d+)/.exec(answer)?.[1]);
  };
  assert.equal(await shake({}), 101);
  for (const version of [null, '8', '99', '013', 'x']) assert.equal(await shake({ 'Sec-WebSocket-Version': version }), 426);
  for (const key of ['x', 'AAAAAAAAAAAAAAAAAAAAAAAA==', '']) assert.equal(await shake({ 'Sec-WebSocket-Key': key }), 400);
  assert.equal(await shake({ 'Content-Length': '5' }), 400);
  assert.equal(await shake({ 'Transfer-Encoding': 'chunked' }), 400);
  assert.equal(await shake({ Host: null }), 400);
});

scenario('members whose names take much room are told in numbers, and nobody is too slow for them', async (world) => {
  const alpha = await world.replica({ name: 'alpha' });
  const crowd = [];
  for (let i = 0; i < 320; i++)
    crowd.push(await Client.join(world, alpha, 'lobby', `${'\u0001'.repeat(60)}${1000 + i}`));
  const late = await Client.join(world, alpha, 'lobby', 'late');
  // The chat of a moment ago may be told first.
  const told = await late.frame(({ type, large, users }) => type === 'members' && large && users === 321);
  assert.ok(JSON.stringify(told).length < 17 * 1024, 'a page of them');
  crowd[0].say('still here');
  for (const client of [late, crowd[1]]) {
    await client.frame(({ text }) => text === 'still here');
    assert.equal(client.closed, null);
  }
  assert.equal((await alpha.stats()).clients.slow, 0);
});

scenario('SIGHUP without --allow changes nothing', async (world) => {
  const alpha = await world.replica({ name: 'alpha' });
  const client = await Client.join(world, alpha, 'lobby');
  alpha.process.kill('SIGHUP');
  client.say('still here');
  await client.frame(({ text }) => text === 'still here');
});

scenario('a client that never reads does not hold up the end, nor break it', async (world) => {
  const alpha = await world.replica({ name: 'alpha', args: ['--drain', '0'] });
  const deaf = await handshake(world, alpha.address('lobby', 'deaf'));
  deaf.pause();
  const loud = await Client.join(world, alpha, 'lobby', 'loud');
  await until('the socket of the deaf one is full', async () => {
    for (let i = 0; i < 20; i++) loud.say('x'.repeat(16000));
    return (await alpha.stats()).clients.slow === 1;
  });
  assert.deepEqual(await alpha.kill('SIGTERM'), { code: 0, signal: null });
  assert.equal(alpha.stderr, '');
});

scenario('a public address that is no address does not start', async (world) => {
  for (const address of ['http://a\r\nSet-Cookie: x=1', 'http://a b', 'http://', 'http://a/b', 'http://a:b',
    'ftp://a', 'http://ü', '*']) {
    const child = world.run(binary, ['--listen', '127.0.0.1:0', '--public', address]);
    assert.equal((await child.exited).code, 2, address);
    assert.match(child.stderr, /--public .*must be http:/);
  }
});
