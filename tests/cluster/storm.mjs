// Random bytes for both servers, plain and by TLS: HTTP requests, pipelined, with bodies of true and false lengths,
// WebSocket handshakes and frames, hellos of TLS, cut, doubled and changed, in pieces of any size, from clients that
// read, do not read, or hang up. Throughout and after it all must answer and hold no more than before, and clients that
// keep to the rules (residents.mjs), in the same chats, must miss nothing.
//
//   node storm.mjs [--connections N | --seconds N] [--seed N]

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Duplex } from 'node:stream';
import tls from 'node:tls';
import { parseArgs } from 'node:util';
import { root, until, World } from './replica.mjs';
import { Residents } from './residents.mjs';

const AT_ONCE = 16, OPEN_MS_MAX = 3000;
const { values } = parseArgs({ options: { connections: { type: 'string', default: '2000' },
  seconds: { type: 'string' }, seed: { type: 'string', default: `${Date.now() % 1000000}` } } });

// -------------------------------------------------------------------------------- what is sent

let state = Number(values.seed) >>> 0;
function random(limit) { // mulberry32
  state = (state + 0x6d2b79f5) >>> 0;
  let t = Math.imul(state ^ (state >>> 15), state | 1);
  t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
  return ((t ^ (t >>> 14)) >>> 0) % limit;
}
const one = (list) => list[random(list.length)];
const chance = (percent) => random(100) < percent;
const noise = (size) => Buffer.from(Array.from({ length: size }, () => random(256)));
const length = () => one([0, 1, 2, 10, 125, 126, 127, 4095, 4096, 4097, 16384, 40000]);

const PATHS = ['/', '/ws?chat=c&user=u', '/ws', '/stats', '/metrics', '/chats', '/nodes', '/users/u', '/owner?chat=c', '/healthz',
  '/readyz', '/publish', '/kick?user=nobody', '/kick?session=0-0', '/items?chat=c', '/items', '/about', '//kick', '/%6bick',
  '/x/../stats', '/%', '/%00', '/?%zz', '/ws?chat=%ff&user=;;', '*', 'http://127.0.0.1/', ''];
const HEADERS = ['Content-Length: 0', 'Content-Length: 5', 'Content-Length: 100000', 'Content-Length: -1',
  'Content-Length: 18446744073709551616', 'Transfer-Encoding: chunked', 'Content-Type: application/json',
  'Content-Type: text/plain', 'Authorization: Bearer say it', 'Authorization: Bearer no', 'Authorization:',
  'Connection: keep-alive', 'Connection: close', 'Connection: Upgrade', 'Upgrade: websocket', 'Upgrade: h2c',
  'Origin: http://127.0.0.1', 'Origin: null', 'Host: evil.example', 'Host:', 'Expect: 100-continue',
  'Idempotency-Key: k', `Idempotency-Key: ${'k'.repeat(200)}`, 'Sec-WebSocket-Version: 13', 'Sec-WebSocket-Key: x',
  'Sec-WebSocket-Protocol: wsfan', 'HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA', `X: ${'x'.repeat(3000)}`, ': x', 'X'];
const BODIES = ['', 'abcde', '{"chat":"c","text":"abc"}', '{"chat":"c","user":"u","text":"abc"}', '{"chat":"c\\u0000"}',
  '{"everyone":true,"text":"x"}', '5\r\nabcde\r\n0\r\n\r\n', '['.repeat(5000)];
const HANDSHAKE = ['Upgrade: websocket', 'Connection: Upgrade', 'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=='];

function request() {
  const body = one(BODIES);
  const headers = ['Host: 127.0.0.1'];
  for (let i = random(5); i > 0; i--) headers.push(one(HEADERS));
  if (chance(60)) headers.push(`Content-Length: ${Buffer.byteLength(body) + (chance(20) ? random(9) - 4 : 0)}`);
  const method = one(['GET', 'GET', 'POST', 'POST', 'HEAD', 'PUT', 'OPTIONS', 'CONNECT', 'BREW', 'PRI']);
  return Buffer.from(`${method} ${one(PATHS)} HTTP/1.${one([1, 1, 1, 0, 9])}\r\n${headers.join('\r\n')}\r\n\r\n${body}`);
}

function frame() {
  const opcode = one([0, 1, 1, 1, 2, 8, 9, 10, 3, 11]);
  const payload = opcode === 8 && chance(70)
    ? Buffer.concat([Buffer.from([random(20), random(256)]), noise(random(10))])
    : chance(50) ? Buffer.from(one(['hello', '\0typing', '\0alive?', '\0', 'é', 'x'.repeat(length())])) : noise(random(300));
  const said = chance(90) ? payload.length : length();
  const masked = chance(95) ? 0x80 : 0;
  const size = said < 126 && chance(95) ? Buffer.from([masked | said])
    : said < 65536 ? Buffer.from([masked | 126, said >> 8, said & 255])
      : Buffer.from([masked | 127, ...noise(8)]);
  const mask = masked ? noise(4) : Buffer.alloc(0);
  return Buffer.concat([Buffer.from([(chance(80) ? 0x80 : 0) | (chance(5) ? random(8) << 4 : 0) | opcode]), size, mask,
    masked ? payload.map((byte, i) => byte ^ mask[i & 3]) : payload]);
}

function conversation() {
  const parts = [];
  for (let i = random(4); i > 0; i--) parts.push(request());
  if (chance(50)) {
    parts.push(Buffer.from(`GET /ws?chat=c&user=u${random(3)} HTTP/1.1\r\nHost: 127.0.0.1\r\n` +
      `${HANDSHAKE.join('\r\n')}\r\n\r\n`));
    if (chance(50)) parts.splice(0, parts.length - 1); // else it is pipelined
    for (let i = random(12); i > 0; i--) parts.push(frame());
  }
  if (chance(10)) parts.push(noise(random(2000)));
  const bytes = Buffer.concat(parts);
  for (let i = chance(30) ? random(4) : 0; i > 0 && bytes.length > 0; i--) bytes[random(bytes.length)] = random(256);
  return chance(15) ? bytes.subarray(0, random(bytes.length + 1)) : bytes;
}

// What a client of TLS says first.
function hello() {
  let said;
  const wire = new Duplex({ read() {}, write(bytes, encoding, done) { said ??= bytes; done(); } });
  const client = tls.connect({ socket: wire, rejectUnauthorized: false });
  client.on('error', () => {});
  client.destroy();
  return said;
}

function garble(bytes) {
  const copy = Buffer.from(bytes);
  for (let i = random(4); i > 0; i--) copy[random(copy.length)] = random(256);
  return Buffer.concat([copy.subarray(0, chance(50) ? copy.length : random(copy.length)), noise(chance(50) ? random(300) : 0)]);
}

// ----------------------------------------------------------------------------------- who sends it

const turn = () => new Promise((resolve) => { setImmediate(resolve); });

// By TLS mostly so that the server gets to read what is said.
function connect({ port, ca }, greeting) {
  if (!ca) return { socket: net.connect(port, '127.0.0.1'), bytes: conversation() };
  if (chance(75)) return { socket: tls.connect({ port, host: '127.0.0.1', rejectUnauthorized: false }), bytes: conversation() };
  return { socket: net.connect(port, '127.0.0.1'), bytes: chance(70) ? garble(greeting) : conversation() };
}

async function connection(server, greeting) {
  const { socket, bytes } = connect(server, greeting);
  const ended = new Promise((resolve) => { socket.on('close', resolve); });
  socket.on('error', () => {}); // a reset is an answer too
  socket.setTimeout(one([50, 200, OPEN_MS_MAX]), () => socket.destroy());
  if (chance(85)) socket.resume();
  for (let at = 0; at < bytes.length && !socket.destroyed;) {
    const size = chance(70) ? bytes.length : 1 + random(chance(50) ? 10 : 1000);
    socket.write(bytes.subarray(at, at + size));
    at += size;
    if (chance(50)) await turn();
  }
  if (chance(20)) socket.destroy();
  else if (chance(30)) socket.end();
  const late = setTimeout(() => socket.destroy(), OPEN_MS_MAX);
  await ended;
  clearTimeout(late);
}

// ------------------------------------------------------------------------------------- what holds

const resident = (child) => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${child.process.pid}/status`, 'utf8'))[1]) / 1024;
const descriptors = (child) => readdirSync(`/proc/${child.process.pid}/fd`).length;

function ask({ page, ca }, path, { method = 'GET', body } = {}) {
  return new Promise((resolve, reject) => {
    const request = (ca ? https : http).request(new URL(path, page), { method, ca, agent: false }, (response) => {
      const parts = [];
      response.on('data', (part) => parts.push(part));
      response.on('end', () => resolve({ status: response.statusCode, text: Buffer.concat(parts).toString() }));
      response.on('error', reject);
    });
    request.on('error', reject);
    request.end(body);
  });
}
const stats = async (server) => JSON.parse((await ask(server, 'stats')).text);

async function answers(server) {
  await until(`${server.page} answers`, () => server.child.exit ||
    ask(server, server.probe).then(({ status }) => status === 200, () => false));
  assert.equal(server.child.exit, null, server.child.story());
}

// What thin-client stores it tells everybody in the chat.
async function post(thin, items, chat) {
  const { status, text } = await ask(thin, 'items', { method: 'POST', body: JSON.stringify({ chat, user: 'u', text: 'x' }) });
  assert.equal(status, 201);
  (items[chat] ??= []).push(JSON.parse(text).item);
}

async function storm({ servers, residents, items, greeting }, go) {
  let count = 0;
  await Promise.all(Array.from({ length: AT_ONCE }, async () => {
    while (go(count) && !residents.fault) {
      const server = servers[count++ % servers.length];
      await connection(server, greeting);
      if (count % 50 === 0) {
        await answers(server);
        await post(servers.at(-1), items, one(residents.chats));
      }
    }
  }));
  if (residents.fault) throw residents.fault;
  return count;
}

// ------------------------------------------------------------------------------------ the servers

function certificate(directory) {
  const [cert, key] = [join(directory, 'cert.pem'), join(directory, 'key.pem')];
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', key,
    '-out', cert, '-days', '30', '-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1'], { stdio: 'ignore' });
  return { args: ['--tls-cert', cert, '--tls-key', key], ca: readFileSync(cert) };
}

// Three replicas, of which one speaks plainly, one has two threads, and thin-client.
async function start(world) {
  const directory = mkdtempSync(join(tmpdir(), 'wsfan-storm-'));
  world.closing(() => rmSync(directory, { recursive: true, force: true }));
  writeFileSync(join(directory, 'token'), 'say it\n');
  const { args, ca } = certificate(directory);
  const alpha = await world.replica({ name: 'alpha', args: ['--publish-token', join(directory, 'token')] });
  const beta = await world.replica({ name: 'beta', joins: [alpha.mesh], args });
  const gamma = await world.replica({ name: 'gamma', joins: [alpha.mesh], args: [...args, '--threads', '2'] });
  const thin = world.run(process.env.THIN_CLIENT || `${root}build/examples/thin-client/thin-client`,
    ['--store', join(directory, 'store'), '--sockets', 'ws://127.0.0.1:1', '--listen', '0',
      '--mesh', 'tcp://127.0.0.1:*', '--join', alpha.mesh]);
  const [, page] = await thin.printed(/^ready: page (\S+)$/m);
  const servers = [{ child: alpha, page: alpha.page }, { child: beta, page: beta.page, ca }, { child: gamma, page: gamma.page, ca },
    { child: thin, page }];
  for (const server of servers)
    Object.assign(server, { replica: server.child, port: Number(new URL(server.page).port),
      name: server.child.name ?? 'thin-client', probe: server.child === thin ? 'about' : 'healthz' });
  for (const server of servers.slice(0, 3))
    await until(`${server.name} sees the others`, async () =>
      (await stats(server)).peers.filter(({ state }) => state === 'up').length === 3);
  return servers;
}

const world = new World();
try {
  // So that what a sanitizer keeps of freed memory is not taken for growth.
  process.env.ASAN_OPTIONS = `${process.env.ASAN_OPTIONS ?? ''}:quarantine_size_mb=4:thread_local_quarantine_size_kb=64`;
  const servers = await start(world);
  const residents = new Residents(world, servers.slice(0, 3), ['c', 'quiet'], random);
  await residents.enter();
  const ground = { servers, residents, items: {}, greeting: hello() };
  console.log(`seed ${values.seed}`);
  const end = Date.now() + Number(values.seconds) * 1000;
  const warmed = await storm(ground, values.seconds ? () => Date.now() < end - 800 * Number(values.seconds)
    : (count) => count < Number(values.connections) / 5);
  const before = servers.map(({ child }) => ({ memory: resident(child), fds: descriptors(child) }));
  const watch = setInterval(() => console.log(servers.map(({ child }) =>
    `${resident(child).toFixed(1)} MiB ${descriptors(child)}`).join(', '), `${residents.count} heard`), 60000);
  world.closing(() => clearInterval(watch));
  const count = warmed + await storm(ground, values.seconds ? () => Date.now() < end
    : (n) => n < Number(values.connections) * 4 / 5);
  for (const server of servers) await answers(server);
  await residents.settle(ground.items);
  for (const server of servers.slice(0, 3))
    await until('clients have gone', async () => (await stats(server)).clients.open === 2 * residents.chats.length);
  for (const [i, { child, name }] of servers.entries()) {
    const memory = resident(child);
    console.log(`${name}: ${before[i].memory.toFixed(1)} MiB, then ${memory.toFixed(1)}`);
    assert.ok(memory < before[i].memory * 1.25 + 8, `it grew: ${memory}`);
    await until('descriptors are free', () => descriptors(child) <= before[i].fds);
  }
  residents.end();
  const thin = servers.at(-1).child;
  assert.deepEqual(await thin.kill('SIGTERM'), { code: 0, signal: null }, thin.story());
  assert.equal(thin.stderr, '');
  await world.stop();
  console.log(`${count} connections, ${residents.visits} visits, ${residents.count} messages heard by residents, the ` +
    `slowest after ${residents.slowest} ms`);
} catch (error) {
  for (const child of world.children) console.error(child.story());
  throw error;
} finally {
  await world.end();
}
