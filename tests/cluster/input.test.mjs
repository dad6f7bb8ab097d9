// What is wrong with arguments, with what clients send, and with what strangers send: a clear error
// or a counted refusal, and the process lives on.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import net from 'node:net';
import { Client, frame, handshake, raw } from './client.mjs';
import { binary, freePort, meshed, scenario, until } from './replica.mjs';

async function run(world, ...args) {
  const child = world.run(binary, args);
  const { code } = await until('it ends', () => child.exit);
  return { code, stdout: child.stdout, stderr: child.stderr };
}

async function healthy(replica) {
  const response = await fetch(new URL('healthz', replica.page));
  assert.equal(response.status, 200);
  assert.deepEqual(await response.json(), { status: 'ok', node: replica.name });
  assert.equal(replica.exit, null);
}

scenario('a bad argument gets one clear line and exit status 2', async (world) => {
  const long = 'x'.repeat(65);
  for (const [args, told] of [
    [['--bogus'], /--bogus is not an option/],
    [['--listen'], /--listen needs a value/],
    [['--listen', '127.0.0.1'], /--listen 127\.0\.0\.1: it must be HOST:PORT/],
    [['--listen', '127.0.0.1:65536'], /port from 0 to 65535/],
    [['--listen', '127.0.0.1:8x'], /port from 0 to 65535/],
    [['--listen', '127.0.0.1:'], /must be HOST:PORT/],
    [['--listen', ':80'], /must be HOST:PORT/],
    [['--listen', '[]:80'], /must be HOST:PORT/],
    [['--mesh', '127.0.0.1:7000'], /--mesh 127\.0\.0\.1:7000: it must be tcp:\/\/HOST:PORT/],
    [['--listen', '127.0.0.1:0', '--mesh', 'tcp://127.0.0.1:99999'], /endpoint is not of the form/],
    [['--mesh', 'tcp://127.0.0.1:*', '--join', 'nowhere'], /--join nowhere: it must be tcp:/],
    [['--mesh', `ipc://${'x'.repeat(130)}`], /at most 128 bytes/],
    [['--join', 'tcp://127.0.0.1:7000'], /--join needs --mesh/],
    [['--mesh', 'tcp://127.0.0.1:*', '--advertise', 'nowhere'], /--advertise nowhere: it must be tcp:/],
    [['--mesh', 'tcp://127.0.0.1:*', '--advertise', 'dns://chat:7000'], /--advertise dns:.*: it must be tcp:/],
    [['--listen', '127.0.0.1:0', '--mesh', 'tcp://127.0.0.1:*', '--advertise', 'tcp://127.0.0.1:*'],
      /--advertise tcp:\/\/127\.0\.0\.1:\*.*: an endpoint is not of the form/],
    [['--advertise', 'tcp://127.0.0.1:7000'], /--advertise needs --mesh/],
    [['--down', '0'], /--down 0: it must be a number of seconds from 1 to 3600/],
    [['--grace', '601'], /--grace 601: it must be a number of seconds from 0 to 600/],
    [['--name', ''], /--name: it must be UTF-8 text of 1 to 64 bytes/],
    [['--name', long], /1 to 64 bytes/],
    [['--name', 'one\nready: two'], /none of them a control character/],
    [['replica'], /replica: there are no arguments without a flag/],
  ]) {
    const { code, stdout, stderr } = await run(world, ...args);
    assert.match(stderr, told);
    assert.match(stderr, /^echo-chat: .*\n$/);
    assert.equal(stdout, '');
    assert.equal(code, 2, `${args} ended with ${code}`);
  }
});

scenario('--help tells the flags', async (world) => {
  const { code, stdout, stderr } = await run(world, '--help');
  for (const flag of ['--listen', '--mesh', '--advertise', '--join', '--name', '--token', '--down', '--grace', '--log-level', '--log-format', '?admin'])
    assert.ok(stdout.includes(flag), flag);
  assert.equal(stderr, '');
  assert.equal(code, 0);
});

scenario('an address in use or not here gets one line and exit status 1', async (world) => {
  const alpha = await world.replica({ name: 'alpha' });
  for (const [args, told] of [
    [['--listen', alpha.host], /cannot listen on 127\.0\.0\.1 port \d+: Address already in use/],
    [['--listen', '127.0.0.1:0', '--mesh', alpha.mesh], /mesh endpoint is in use/],
    [['--listen', '192.0.2.1:0'], /cannot listen on 192\.0\.2\.1 port 0: Cannot assign/],
    [['--listen', 'no.such.host:80'], /cannot listen on no\.such\.host port 80: /],
    [['--listen', '127.0.0.1:0', '--insecure', '--mesh', 'tcp://192.0.2.1:7000'], /cannot be bound on this/],
    [['--listen', '127.0.0.1:0', '--insecure', '--mesh', 'tcp://no.such.host:7000'], /a DNS name is none.*; see --help/],
  ]) {
    const { code, stdout, stderr } = await run(world, ...args);
    assert.match(stderr, told);
    assert.match(stderr, /^echo-chat: .*\n$/);
    assert.equal(stdout, '');
    assert.equal(code, 1);
  }
  await healthy(alpha);
});

scenario('a --join that nobody answers is told, and met when it is there', async (world) => {
  const port = await freePort();
  const alpha = await world.replica({ name: 'alpha', joins: [`tcp://127.0.0.1:${port}`],
    args: ['--log-level', 'warning'] });
  await until('alpha says why', () => /^\S+Z warning endpoint\.refused_tcp tcp:.*$/m.test(alpha.stderr));
  await until('alpha says that it is alone', () => /^\S+Z warning node\.searching .*$/m.test(alpha.stderr));
  const beta = await world.replica({ name: 'beta', mesh: `tcp://127.0.0.1:${port}` });
  await meshed([alpha, beta]);
  assert.deepEqual(await alpha.kill('SIGTERM'), { code: 0, signal: null });
});

scenario('two replicas of the same name are told so, and live on', async (world) => {
  const args = ['--log-level', 'warning', '--log-format', 'json'];
  const one = await world.replica({ name: 'twin', args });
  const two = await world.replica({ name: 'twin', joins: [one.mesh], args });
  const told = ({ stderr }) => stderr.split('\n').slice(0, -1).map(JSON.parse)
    .some(({ code, text }) => code === 'caller.refused' && text.includes('two nodes have the same name'));
  await until('both say it', () => told(one) && told(two));
  const { callers } = (await one.stats()).diagnosis;
  assert.ok(callers.some(({ cause, name }) => cause === 'refused' && name === 'twin'));
  for (const replica of [one, two]) {
    await healthy(replica);
    assert.deepEqual(await replica.kill('SIGTERM'), { code: 0, signal: null });
  }
});

scenario('a chat or user missing, empty or too long is refused with 1008', async (world) => {
  const alpha = await world.replica({ name: 'alpha' });
  const queries = {
    '': /names no chat/,
    '?chat=lobby': /names no user/,
    '?chat=&user=anna': /names no chat/,
    '?user=anna': /names no chat/,
    '?chat=lobby&user=': /names no user/,
    [`?chat=${'c'.repeat(129)}&user=anna`]: /chat's name is longer than 128 bytes/,
    [`?chat=${'c'.repeat(3000)}&user=anna`]: /chat's name is longer than 128 bytes/,
    [`?chat=lobby&user=${'%C3%A9'.repeat(33)}`]: /user's name is longer than 64 bytes/,
    '?chat=%ff%fe&user=anna': /chat's name is not UTF-8/,
    '?chat=lobby&user=%C3': /user's name is not UTF-8/,
  };
  for (const [query, told] of Object.entries(queries)) {
    const client = new Client(world, `ws://${alpha.host}/ws${query}`);
    const { code, reason } = await client.close();
    assert.equal(code, 1008, query);
    assert.match(reason, told);
    assert.deepEqual(client.frames, []);
  }
  const { clients, sessions } = await alpha.stats();
  assert.deepEqual({ ...clients, max: 0 }, { open: 0, max: 0, slow: 0,
    refused: Object.keys(queries).length, moved: 0 });
  assert.equal(sessions, 0);
});

scenario('names at their limits, and of any characters, are taken', async (world) => {
  const alpha = await world.replica({ name: 'alpha' });
  const chat = 'é&=?#/ +%"\\<'.padEnd(127, '.'); // 128 bytes
  const user = '🦊'.repeat(16);
  const client = await Client.join(world, alpha, chat, user);
  client.say('');
  const message = await client.frame(({ type }) => type === 'message');
  assert.deepEqual([message.chat, message.user, message.text], [chat, user, '']);
});

scenario('bad percent-encoding, paths and methods get an HTTP error', async (world) => {
  const alpha = await world.replica({ name: 'alpha' });
  const port = new URL(alpha.page).port;
  const request = (line, headers = '') =>
    raw(port, `${line} HTTP/1.1\r\nHost: ${alpha.host}\r\n${headers}\r\n`);
  const upgrade = 'Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n' +
    'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n';
  const h2c = 'Upgrade: h2c\r\nConnection: Upgrade\r\n';
  for (const chat of ['%zz', 'a%00b']) // told by a close frame, with status 1008
    assert.match(await request(`GET /ws?chat=${chat}&user=a`, upgrade), /^HTTP\/1\.1 101 [^]*\r\n\r\n\x88.\x03\xf0/);
  assert.match(await request('GET /other?chat=a&user=b', upgrade), /^HTTP\/1\.[01] 404 /);
  assert.match(await request('GET /', h2c), /^HTTP\/1\.[01] 200 /);
  assert.match(await request('GET /ws?chat=a&user=b'), /^HTTP\/1\.[01] 426 [^]*upgrade: websocket/);
  assert.match(await request('GET /favicon.ico'), /^HTTP\/1\.[01] 404 /);
  const post = await request('POST /', 'Content-Length: 0\r\n');
  assert.match(post, /^HTTP\/1\.[01] 405 [^]*allow: GET, HEAD/);
  assert.match(await request('DELETE /stats'), /^HTTP\/1\.[01] 405 /);
  assert.match(await request('BREW /'), /^HTTP\/1\.[01] 501 /);
  const head = await request('HEAD /stats');
  assert.match(head, /^HTTP\/1\.[01] 200 [^]*content-length: [1-9][^]*\r\n\r\n$/);
  await healthy(alpha);
});

scenario('a WebSocket handshake that goes wrong ends itself and nothing else', async (world) => {
  const alpha = await world.replica({ name: 'alpha' });
  const port = new URL(alpha.page).port;
  const host = 'Host: x\r\n';
  const upgrade = 'Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n';
  const key = 'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n';
  for (const [what, headers] of Object.entries({
    'no host': upgrade + key,
    'no key': host + upgrade,
    'a key too long': `${host}${upgrade}Sec-WebSocket-Key: ${'A'.repeat(200)}==\r\n`,
    'extensions without end':
      `${host}${upgrade}${key}Sec-WebSocket-Extensions: ${'x; '.repeat(300)}\r\n`,
    'protocols that are no list': `${host}${upgrade}${key}Sec-WebSocket-Protocol: soap, soap\r\n`,
  })) {
    const answer = await raw(port, `GET /ws?chat=a&user=b HTTP/1.1\r\n${headers}\r\n`);
    assert.doesNotMatch(answer, /^HTTP\/1\.1 101 /, what);
    await healthy(alpha);
  }
  // RFC 6455, section 4.2.2: none is chosen, and it is for the client to go.
  const answer = await raw(port, `GET /ws?chat=a&user=b HTTP/1.1\r\n${host}${upgrade}${key}` +
    'Sec-WebSocket-Protocol: soap\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n');
  assert.match(answer, /^HTTP\/1\.1 101 /);
  assert.doesNotMatch(answer, /sec-websocket-(protocol|extensions)/i);
  await until('it is gone', async () => {
    const { clients, sessions } = await alpha.stats();
    return clients.open === 0 && sessions === 0;
  });
});

scenario('the page forbids scripts that are not its own', async (world) => {
  const alpha = await world.replica({ name: 'alpha' });
  const [one, two] = [await fetch(alpha.page), await fetch(alpha.page)];
  const policy = one.headers.get('content-security-policy');
  assert.match(policy, /default-src 'none'; script-src 'nonce-[0-9a-f]{32}'/);
  assert.notEqual(policy, two.headers.get('content-security-policy'));
  assert.equal(one.headers.get('x-content-type-options'), 'nosniff');
  const nonce = /nonce-([0-9a-f]+)/.exec(policy)[1];
  assert.equal((await one.text()).split(`nonce="${nonce}"`).length, 3);
});

scenario('a message not text, too long or not UTF-8 closes its client', async (world) => {
  const alpha = await world.replica({ name: 'alpha' });
  const witness = await Client.join(world, alpha, 'lobby');
  for (const [send, code] of [
    [(socket) => socket.send(Buffer.from([1, 2, 3])), 1003],
    [(socket) => socket.send('x'.repeat(16385)), 1009],
    [(socket) => [1, 2, 3, 4, 5].forEach((i) => socket.send('x'.repeat(4000), { fin: i > 4 })),
      1009],
    [(socket) => socket.send(Buffer.from([0x61, 0xff, 0x62]), { binary: false }), 1007],
    [(socket) => socket.send(Buffer.from([0xed, 0xa0, 0x80]), { binary: false }), 1007],
  ]) {
    const client = await Client.join(world, alpha, 'lobby');
    send(client.socket);
    assert.equal((await client.close()).code, code);
  }
  const client = await Client.join(world, alpha, 'lobby');
  client.say('x'.repeat(16384));
  client.say('\u0001'.repeat(16384)); // six bytes each in JSON
  await until('both arrive', () => witness.messages.length === 2);
  assert.equal(witness.messages[1].text, '\u0001'.repeat(16384));
  assert.equal((await alpha.stats()).clients.refused, 5);
});

scenario('a message in fragments arrives as one, also around a ping', async (world) => {
  const alpha = await world.replica({ name: 'alpha' });
  const witness = await Client.join(world, alpha, 'lobby');
  const socket = await handshake(world, alpha.address('lobby', 'piecemeal'));
  const text = 'é🦊'.repeat(1000);
  const data = Buffer.from(text);
  const cut = [0, 1, 4, 777, data.length]; // in the middle of characters
  for (let i = 0; i + 1 < cut.length; i++) {
    const last = i + 2 === cut.length;
    const part = frame((last ? 0x80 : 0) | (i === 0 ? 1 : 0), data.subarray(cut[i], cut[i + 1]));
    for (let at = 0; at < part.length; at += 100) socket.write(part.subarray(at, at + 100));
    if (!last) socket.write(frame(0x89, 'ping'));
  }
  const { text: whole } = await witness.frame(({ type }) => type === 'message');
  assert.equal(whole, text);
});

scenario('frames against the protocol end the connection', async (world) => {
  const alpha = await world.replica({ name: 'alpha' });
  const endless = Buffer.from([0x81, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0]);
  for (const bad of [frame(0x80, 'nothing to continue'), frame(0x83, 'reserved opcode'),
    frame(0xf1, 'reserved bits'), frame(0x09, 'fragmented ping'), endless]) {
    const socket = await handshake(world, alpha.address('lobby', 'breaker'));
    let received = '';
    let ended = false;
    socket.on('data', (data) => { received += data.toString('latin1'); });
    socket.on('end', () => { ended = true; });
    socket.write(bad);
    await until('a close frame with 1002, or the end',
      () => ended || /\x88.\x03\xea/s.test(received));
    socket.destroy();
  }
  await until('all have left', async () => (await alpha.stats()).sessions === 0);
  await healthy(alpha);
});

// A stranger that has introduced itself to the mesh port as ZeroMQ (ZMTP 3.0, NULL) does.
async function stranger(world, port) {
  const socket = net.connect(port, '127.0.0.1');
  world.closing(() => socket.destroy());
  socket.on('error', () => {});
  let answer = '';
  socket.on('data', (data) => { answer += data.toString('latin1'); });
  const greeting = Buffer.alloc(64);
  greeting.set([0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0x7f, 3]);
  greeting.write('NULL', 12);
  socket.write(greeting);
  let ended = false;
  socket.on('close', () => { ended = true; });
  await until('the mesh port answers', () => ended || answer.includes('READY'));
  if (ended) return stranger(world, port); // in the place of another one
  socket.write('\x04\x19\x05READY\x0bSocket-Type\x00\x00\x00\x03SUB', 'latin1');
  return socket;
}

scenario('random bytes on both ports are refused, and counted on the mesh', async (world) => {
  const [alpha, beta] = await world.cluster('alpha', 'beta');
  const mesh = Number(alpha.mesh.split(':').pop());
  const port = Number(new URL(alpha.page).port);
  for (let i = 0; i < 20; i++) {
    await raw(mesh, randomBytes(1 + i * 100), 50);
    await raw(port, randomBytes(1 + i * 100), 50);
  }
  await raw(port, `GET /${'x'.repeat(100000)} HTTP/1.1\r\n\r\n`, 200);
  (await stranger(world, mesh)).write(randomBytes(5000));
  // Subscriptions are what a mesh port listens to. Of one to nothing that there is a connection ends, so
  // of each connection one is sure to be counted.
  const malformed = async () => (await alpha.stats()).dropped.malformed;
  // What a connection sent may be read after its end, when its descriptor's number is the next one's, which is ended
  // in its place: so a noise that was not counted comes again.
  for (let i = 0; i < 10; i++) {
    const before = await malformed();
    const topic = randomBytes(1 + i * 20);
    await until('the noise is counted', async () => {
      const noise = await stranger(world, mesh);
      let ended = false;
      noise.on('close', () => { ended = true; });
      noise.write(Buffer.concat([Buffer.from([0, topic.length + 1, 1]), topic]));
      await until('its connection is ended', async () => ended);
      return await malformed() > before;
    });
  }
  const speaker = await Client.join(world, alpha, 'lobby');
  const listener = await Client.join(world, beta, 'lobby');
  speaker.say('unharmed');
  await listener.frame(({ text }) => text === 'unharmed');
  await healthy(alpha);
});
