// Random bytes for both servers: HTTP requests, pipelined, with bodies of true and false lengths, WebSocket
// handshakes and frames, cut, doubled and changed, in pieces of any size, from clients that read, do not
// read, or hang up. Throughout and after it both must answer, and hold no more than before.
//
//   node storm.mjs [--connections N | --seconds N] [--seed N]

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { root, until, World } from './replica.mjs';

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

// ----------------------------------------------------------------------------------- who sends it

const turn = () => new Promise((resolve) => { setImmediate(resolve); });

async function connection(port) {
  const socket = net.connect(port, '127.0.0.1');
  const ended = new Promise((resolve) => { socket.on('close', resolve); });
  socket.on('error', () => {}); // a reset is an answer too
  socket.setTimeout(one([50, 200, OPEN_MS_MAX]), () => socket.destroy());
  if (chance(85)) socket.resume();
  const bytes = conversation();
  for (let at = 0; at < bytes.length && !socket.destroyed;) {
    const size = chance(70) ? bytes.length : 1 + random(chance(50) ? 10 : 1000);
    socket.write(bytes.subarray(at, at + size));
    at += size;
    if (chance(50)) await turn();
  }
  if (chance(20)) socket.destroy();
  else if (chance(30)) socket.end();
  setTimeout(() => socket.destroy(), OPEN_MS_MAX);
  await ended;
}

// ------------------------------------------------------------------------------------- what holds

const resident = (child) => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${child.process.pid}/status`, 'utf8'))[1]) / 1024;
const descriptors = (child) => readdirSync(`/proc/${child.process.pid}/fd`).length;

async function answers(server) {
  await until(`${server.page} answers`, () => server.child.exit ||
    fetch(new URL(server.probe, server.page)).then((response) => response.ok, () => false));
  assert.equal(server.child.exit, null, server.child.story());
}

async function storm(servers, go) {
  let count = 0;
  await Promise.all(Array.from({ length: AT_ONCE }, async () => {
    while (go(count)) {
      const server = servers[count++ % servers.length];
      await connection(Number(new URL(server.page).port));
      if (count % 50 === 0) await answers(server);
    }
  }));
  return count;
}

const world = new World();
try {
  // So that what a sanitizer keeps of freed memory is not taken for growth.
  process.env.ASAN_OPTIONS = `${process.env.ASAN_OPTIONS ?? ''}:quarantine_size_mb=4:thread_local_quarantine_size_kb=64`;
  const directory = mkdtempSync(join(tmpdir(), 'wsfan-storm-'));
  world.closing(() => rmSync(directory, { recursive: true, force: true }));
  writeFileSync(join(directory, 'token'), 'say it\n');
  const alpha = await world.replica({ name: 'alpha', args: ['--publish-token', join(directory, 'token')] });
  const thin = world.run(process.env.THIN_CLIENT || `${root}build/examples/thin-client/thin-client`,
    ['--store', join(directory, 'store'), '--sockets', 'ws://127.0.0.1:1', '--listen', '0',
      '--mesh', 'tcp://127.0.0.1:*', '--join', alpha.mesh]);
  const [, page] = await thin.printed(/^ready: page (\S+)$/m);
  const servers = [{ child: alpha, page: alpha.page, probe: 'healthz' }, { child: thin, page, probe: 'about' }];
  console.log(`seed ${values.seed}`);
  const end = Date.now() + Number(values.seconds) * 1000;
  const warmed = await storm(servers, values.seconds ? () => Date.now() < end - 800 * Number(values.seconds)
    : (count) => count < Number(values.connections) / 5);
  const before = servers.map(({ child }) => ({ memory: resident(child), fds: descriptors(child) }));
  const count = warmed + await storm(servers, values.seconds ? () => Date.now() < end
    : (n) => n < Number(values.connections) * 4 / 5);
  for (const server of servers) await answers(server);
  await until('clients have gone', async () => (await alpha.stats()).clients.open === 0);
  for (const [i, { child }] of servers.entries()) {
    const memory = resident(child);
    console.log(`${child.command.split(' ')[0].split('/').pop()}: ${before[i].memory.toFixed(1)} MiB, then ${memory.toFixed(1)}`);
    assert.ok(memory < before[i].memory * 1.25 + 8, `it grew: ${memory}`);
    await until('descriptors are free', () => descriptors(child) <= before[i].fds);
  }
  assert.deepEqual(await thin.kill('SIGTERM'), { code: 0, signal: null });
  await world.stop();
  console.log(`${count} connections`);
} catch (error) {
  for (const child of world.children) console.error(child.story());
  throw error;
} finally {
  await world.end();
}
