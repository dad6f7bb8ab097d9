// Servers of NATS, entries and clients of npm's `nats`, as processes of a scenario of the cluster tests.

import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, headers as newHeaders, StringCodec } from 'nats';
import { root, scenario, until } from '../cluster/replica.mjs';

export { Client } from '../cluster/client.mjs';
export { newHeaders, root, scenario, until };

export const program = process.env.WSFAN_ENTRY || '../../build/plain/tools/wsfan-entry';
const server = process.env.NATS_SERVER || '/usr/sbin/nats-server';
const codec = StringCodec();

// libnats does not free a message of which it had read a part when its connection ended: see docs/nats.md.
process.env.LSAN_OPTIONS ||= `suppressions=${root}tests/entry/lsan.supp`;

const listens = (port) => new Promise((resolve) => {
  const probe = net.connect(port, '127.0.0.1', () => { probe.destroy(); resolve(true); });
  probe.on('error', () => resolve(false));
});

// Of those that no connection is given: nobody takes it before the server does.
async function quietPort() {
  for (;;) {
    const listener = net.createServer();
    const port = randomInt(10000, 32000);
    const free = await new Promise((resolve) => {
      listener.on('error', () => resolve(false)).listen(port, '127.0.0.1', () => resolve(true));
    });
    if (!free) continue;
    listener.close();
    await once(listener, 'close');
    return port;
  }
}

export function directory(world) {
  const path = mkdtempSync(join(tmpdir(), 'wsfan-entry-'));
  world.closing(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

// A server of NATS, at the port that it had before if there is one.
export async function natsServer(world, { port, config, args = [] } = {}) {
  port ||= await quietPort();
  if (config !== undefined && !config.startsWith('/')) {
    const file = join(directory(world), 'nats.conf');
    writeFileSync(file, config);
    config = file;
  }
  const child = world.run(server, ['-a', '127.0.0.1', '-p', port, ...config ? ['-c', config] : [], ...args]);
  await until('nats-server listens', async () => await listens(port) || child.exit);
  assert.equal(child.exit, null, child.story());
  return Object.assign(child, { port, url: `nats://127.0.0.1:${port}` });
}

export const start = (world, ...args) => world.run(program, args);

// Says who it is to whoever connects, and nothing more, until it ends.
export async function mute(world) {
  const clients = new Set();
  const info = 'INFO {"server_id":"M","version":"2.9.10","proto":1,"headers":true,"max_payload":1048576}\r\n';
  const listener = net.createServer((socket) => {
    clients.add(socket.on('error', () => {}).on('data', () => {}));
    socket.write(info);
  });
  const end = () => {
    listener.close();
    for (const socket of clients) socket.destroy();
  };
  const port = await quietPort();
  world.closing(end);
  listener.listen(port, '127.0.0.1');
  await once(listener, 'listening');
  return { port, url: `nats://127.0.0.1:${port}`, end };
}

// A message whose headers are these bytes, as a program may send them that has no client of NATS. Returns the answer.
export async function askWith(nats, subject, headers, text) {
  const socket = net.connect(nats.port, '127.0.0.1');
  let heard = '';
  socket.on('data', (data) => { heard += data; });
  socket.write('CONNECT {"verbose":false,"headers":true}\r\nSUB _INBOX.raw 1\r\n'
    + `HPUB ${subject} _INBOX.raw ${headers.length} ${headers.length + text.length}\r\n${headers}${text}\r\n`);
  const reply = await until('an answer', () => /^MSG _INBOX\.raw .*\r\n(.*)\r\n/m.exec(heard));
  socket.destroy();
  return JSON.parse(reply[1]);
}

// An entry, when it takes messages.
export async function entry(world, nats, replica, name, ...args) {
  const child = start(world, '--nats', nats.url, '--join', replica.mesh, '--name', name, ...args);
  await child.printed(/^ready: .*$/m);
  return Object.assign(child, { name });
}

export async function ends(child, code = 0) {
  child.process.kill('SIGTERM');
  await until(`${child.command} ends`, () => child.exit, 30000);
  assert.deepEqual(child.exit, { code, signal: null }, child.story());
}

// A client of NATS, whose replies are JSON.
export async function client(world, nats, options = {}) {
  const connection = await connect({ servers: nats.url, maxReconnectAttempts: -1, reconnectTimeWait: 50, ...options });
  world.closing(() => connection.close());
  return Object.assign(connection, {
    async ask(subject, data = '', { timeout = 10000, ...fields } = {}) {
      const headers = Object.keys(fields).length > 0 ? newHeaders() : undefined;
      for (const [name, value] of Object.entries(fields)) headers.append(name, value);
      const reply = await connection.request(subject, typeof data === 'string' ? codec.encode(data) : data,
        { timeout, headers });
      return JSON.parse(codec.decode(reply.data));
    },
    // What comes on a subject: { subject, text, id, binary }.
    hear(subject) {
      const heard = [];
      connection.subscribe(subject, { callback: (error, message) => heard.push({ subject: message.subject,
        text: codec.decode(message.data), id: message.headers?.get('Nats-Msg-Id'),
        binary: message.headers?.get('Wsfan-Binary') === 'true' }) });
      return heard;
    },
  });
}

export const status = (nats, name, cluster = 'wsfan') => nats.ask(`wsfan.${cluster}.entry.status.${name}`);

// A token of a name, by what the documents say.
export const token = (name) => (/^[A-Za-z0-9_-]{1,200}$/.test(name) ? name
  : `=${Buffer.from(name).toString('base64url')}`);
