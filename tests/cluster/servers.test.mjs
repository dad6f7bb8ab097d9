// The servers of examples, which are to be copied: each does what examples/servers/README.md says, and nothing of what
// it must not do; and all of them and echo-chat are one mesh.

import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import net from 'node:net';
import { WebSocket } from 'ws';
import { frame, handshake } from './client.mjs';
import { scenario, until } from './replica.mjs';

// NAME=PROGRAM,...
const servers = process.env.SERVERS.split(',').map((item) => item.split('='));

// Of those that no connection is given, unlike freePort()'s: nobody takes it before the server does.
async function quietPort() {
  for (;;) {
    const listener = net.createServer();
    const port = randomInt(15000, 32000);
    const free = await new Promise((resolve) => {
      listener.on('error', () => resolve(false)).listen(port, '127.0.0.1', () => resolve(true));
    });
    if (!free) continue;
    listener.close();
    await once(listener, 'close');
    return port;
  }
}

async function start(world, [name, program], peer) {
  const [port, mesh] = [await quietPort(), await quietPort()];
  const server = world.run(program, [port, `tcp://127.0.0.1:${mesh}`, ...peer ? [peer.mesh] : []].map(String));
  Object.assign(server, { name, port, mesh: `tcp://127.0.0.1:${mesh}` });
  server.address = (chat) => `ws://127.0.0.1:${port}/${chat}`;
  await until(`${name} listens`, () => new Promise((resolve) => {
    const probe = net.connect(port, '127.0.0.1', () => resolve(true));
    probe.on('error', () => resolve(server.exit));
    probe.on('connect', () => probe.destroy());
  }));
  assert.equal(server.exit, null, server.story());
  return server;
}

async function startAll(world) {
  const first = await start(world, servers[0]);
  return [first, ...await Promise.all(servers.slice(1).map((server) => start(world, server, first)))];
}

// A client that remembers what it heard: text as a string, anything else as "binary HEX".
async function join(world, server, chat) {
  const socket = new WebSocket(server.address(chat), { perMessageDeflate: false });
  world.closing(() => socket.terminate());
  socket.heard = [];
  socket.on('message', (data, binary) => socket.heard.push(binary ? `binary ${data.toString('hex')}` : data.toString()));
  socket.on('error', () => {});
  await once(socket, 'open');
  return socket;
}

const hears = (socket, text) => until(`it hears ${text}`, () => socket.heard.includes(text));

async function ends(server) {
  assert.deepEqual(await server.kill('SIGTERM'), { code: 0, signal: null }, server.story());
}

const text = 0x81, binary = 0x82, first = 0x01, next = 0x00, last = 0x80, close = 0x88, ping = 0x89;

// What ends a connection: frames, or something else than WebSocket.
const refused = {
  'a message that is too large': [frame(text, 'x'.repeat(9000))],
  'a message that is too large in the end': [frame(first, 'x'.repeat(8000)), frame(last, 'x'.repeat(193))],
  'text that is not UTF-8': [frame(text, Buffer.from('c328', 'hex'))],
  'text that ends within a character': [frame(first, 'x'), frame(last, Buffer.from('c3', 'hex'))],
  'a continuation of nothing': [frame(last, 'x')],
  'a message within a message': [frame(first, 'x'), frame(text, 'y')],
};

for (const server of servers)
  scenario(`${server[0]}: what it does not take ends one connection, and no other`, async (world) => {
    const alpha = await start(world, server);
    const one = await join(world, alpha, 'lobby');
    const other = await join(world, alpha, 'attic');
    for (const [what, frames] of Object.entries(refused)) {
      const bad = await handshake(world, alpha.address('lobby'));
      bad.on('data', (data) => { if (data[0] === close) bad.end(); });
      bad.write(Buffer.concat(frames));
      await until(`it ends: ${what}`, () => bad.readableEnded || bad.destroyed);
    }
    for (const path of ['', 'x'.repeat(64)]) { // no chat, and a name that is too long
      const socket = new WebSocket(alpha.address(path));
      socket.on('error', () => {});
      await until('it is refused', () => socket.readyState === WebSocket.CLOSED);
    }
    const answer = await fetch(`http://127.0.0.1:${alpha.port}/lobby`, { method: 'POST', body: 'x' }).catch(() => null);
    assert.ok(!answer?.ok);

    const pieces = await handshake(world, alpha.address('lobby'));
    pieces.write(Buffer.concat([frame(first, Buffer.from('h\u00e9').subarray(0, 2)), frame(ping, 'p'),
      frame(last, Buffer.from('h\u00e9').subarray(2))]));
    await hears(one, 'h\u00e9');
    pieces.write(Buffer.concat([frame(binary & ~last, Buffer.from('00ff', 'hex')), frame(next, 'x'), frame(last, '')]));
    await hears(one, 'binary 00ff78');
    one.send('');
    await hears(one, '');
    one.send('x'.repeat(8192));
    await hears(one, 'x'.repeat(8192));
    other.send('alone');
    await hears(other, 'alone');
    assert.deepEqual(one.heard, ['h\u00e9', 'binary 00ff78', '', 'x'.repeat(8192)]);
    assert.deepEqual(other.heard, ['alone']);
    await ends(alpha); // with clients
  });

scenario('clients that do not read are cut, and nobody waits for them', async (world) => {
  const all = await startAll(world);
  const [loud, deaf, near, far] = [await join(world, all[0], 'lobby'), [], [], []];
  for (const server of all) {
    deaf.push(await join(world, server, 'lobby'));
    near.push(await join(world, server, 'lobby'));
    far.push(await join(world, server, 'attic'));
  }
  for (const client of near) await until('it is in', async () => { loud.send('in?'); return client.heard.length > 0; });
  for (const client of deaf) client.pause();
  let number = 0;
  while (number < 960) { // of 8000 bytes: more than sockets and queues hold
    for (let i = 0; i < 80; i++) loud.send(`${++number} ${'x'.repeat(8000)}`);
    far[0].send(`${number}`);
    await Promise.all([loud, ...near].map((client) =>
      until('it keeps up', () => client.heard.at(-1)?.startsWith(`${number} `))));
    await Promise.all(far.map((client) => hears(client, `${number}`)));
  }
  loud.send('the end');
  for (const client of near) {
    await hears(client, 'the end');
    assert.equal(client.heard.filter((message) => message !== 'in?').length, number + 1);
  }
  for (const [i, client] of deaf.entries()) {
    client.resume();
    await until(`${all[i].name} has cut it`, () => client.readyState === WebSocket.CLOSED);
    assert.ok(!client.heard.includes('the end'));
  }
  await Promise.all(all.map(ends));
});
