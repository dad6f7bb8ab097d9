// Starts the example servers, and talks to them.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { WebSocket } from 'ws';
import { freePort, until } from './replica.mjs';

// NAME=PROGRAM,...
export const servers = process.env.SERVERS.split(',').map((item) => item.split('='));

export async function start(world, [name, program], peer) {
  const [port, mesh] = [await freePort(), await freePort()];
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

// Each in the mesh of the others, and of `peer` if there is one.
export async function startAll(world, peer) {
  const first = await start(world, servers[0], peer);
  return [first, ...await Promise.all(servers.slice(1).map((server) => start(world, server, first)))];
}

// A client that remembers what it heard: text as a string, anything else as "binary HEX".
export async function join(world, server, chat) {
  const socket = new WebSocket(server.address(chat), { perMessageDeflate: false });
  world.closing(() => socket.terminate());
  socket.heard = [];
  socket.on('message', (data, binary) => socket.heard.push(binary ? `binary ${data.toString('hex')}` : data.toString()));
  socket.on('error', () => {});
  await once(socket, 'open');
  return socket;
}

export const hears = (socket, text) => until(`it hears ${text}`, () => socket.heard.includes(text));

export async function ends(server) {
  assert.deepEqual(await server.kill('SIGTERM'), { code: 0, signal: null }, server.story());
}
