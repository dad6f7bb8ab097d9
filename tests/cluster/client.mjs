// A WebSocket client of a replica that remembers every frame.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import net from 'node:net';
import WebSocket from 'ws';
import { until } from './replica.mjs';

export class Client {
  frames = [];
  closed = null; // { code, reason }

  constructor(world, address, options = {}) {
    this.socket = new WebSocket(address, { perMessageDeflate: false, ...options });
    this.socket.on('message', (data) => this.frames.push(JSON.parse(data.toString())));
    this.socket.on('close', (code, reason) => { this.closed = { code, reason: `${reason}` }; });
    this.socket.on('error', (error) => { this.error = error; });
    world.closing(() => this.socket.terminate());
  }

  // Until the replica says that every broadcast from now on will arrive.
  static async join(world, replica, chat, user = `user of ${replica.name}`, options = {}) {
    const client = new Client(world, replica.address(chat, user), options);
    const { session } = await client.frame((frame) => frame.type === 'welcome');
    client.session = session;
    await client.frame((frame) => frame.type === 'joined' && frame.session === session);
    return client;
  }

  of(type) {
    return this.frames.filter((frame) => frame.type === type);
  }

  get messages() {
    return this.of('message');
  }

  say(text) {
    this.socket.send(text);
  }

  // Fails at once when none can come any more.
  async frame(matches, ms) {
    const story = () => `a frame ${matches}, not only ${JSON.stringify(this.frames.slice(-5))}`;
    return until(story, () => {
      const found = this.frames.find(matches);
      if (!found && (this.error || this.closed))
        assert.fail(`${story()}: ${this.error ?? JSON.stringify(this.closed)}`);
      return found;
    }, ms);
  }

  async close() {
    return until('the connection is closed', () => this.closed);
  }

  // The members that this client was told of, by name.
  members() {
    const members = new Map();
    for (const frame of this.of('members')) {
      if (frame.anew) members.clear();
      for (const member of frame.members)
        if (member.event === 'leave') members.delete(member.user);
        else members.set(member.user, member);
    }
    return members;
  }

  // Where they have sessions, as "user@node", each once.
  people() {
    return [...this.members().values()]
      .flatMap(({ user, places }) => places.map(({ node }) => `${user}@${node}`)).sort();
  }
}

// Talks to a port in its own words, and returns all that comes back when the other side closes or
// has been quiet for `quietMs`.
export async function raw(port, data, quietMs = 300) {
  const socket = net.connect(port, '127.0.0.1');
  await once(socket, 'connect');
  let answer = '';
  socket.on('data', (part) => { answer += part.toString('latin1'); });
  socket.on('error', () => {}); // a reset is an answer too
  socket.write(data);
  socket.setTimeout(quietMs, () => socket.destroy());
  await new Promise((resolve) => { socket.on('close', resolve); });
  return answer;
}

// A WebSocket connection with nothing but a socket, for frames that no client library sends.
export async function handshake(world, address) {
  const { host, port, pathname, search } = new URL(address);
  const socket = net.connect(Number(port), '127.0.0.1');
  world.closing(() => socket.destroy());
  socket.on('error', () => {});
  await once(socket, 'connect');
  socket.write(`GET ${pathname}${search} HTTP/1.1\r\nHost: ${host}\r\nUpgrade: websocket\r\n` +
    'Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n' +
    `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}\r\n\r\n`);
  const [answer] = await once(socket, 'data');
  assert.match(answer.toString('latin1'), /^HTTP\/1\.1 101 /);
  return socket;
}

// A masked frame. `head` is its first byte: 0x80 ends a message, 1 text, 2 binary, 0 goes on.
export function frame(head, payload) {
  const data = Buffer.from(payload);
  const mask = randomBytes(4);
  const size = data.length < 126 ? Buffer.from([0x80 | data.length])
    : Buffer.from([0x80 | 126, data.length >> 8, data.length & 0xff]);
  const masked = data.map((byte, i) => byte ^ mask[i & 3]);
  return Buffer.concat([Buffer.from([head]), size, mask, masked]);
}
