// Who connects and then says nothing, or says it byte by byte: each is ended in time, and costs nobody else
// anything. See docs/operations.md for the times.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, handshake } from './client.mjs';
import { scenario, until } from './replica.mjs';

const ENDED_MS = 100000; // the longest limit is 65 s, of a WebSocket that is silent

// Says `first`, and then one more byte of `rest` each second, until it is ended; reads all the while.
function trickle(world, port, first, rest) {
  const one = { answer: '', ended: false, socket: net.connect({ port, host: '127.0.0.1', allowHalfOpen: true }) };
  one.socket.on('error', () => {});
  one.socket.on('data', (data) => { one.answer += data.toString('latin1'); });
  one.socket.on('end', () => { one.ended = true; });
  one.socket.on('close', () => { one.ended = true; });
  follow(world, one, first, rest);
  return one;
}

function follow(world, one, first, rest) {
  let at = 0;
  one.socket.write(first);
  const timer = setInterval(() => {
    if (!one.ended && rest.length > 0) one.socket.write(rest.subarray(at++ % rest.length, (at - 1) % rest.length + 1));
  }, 1000);
  world.closing(() => { clearInterval(timer); one.socket.destroy(); });
}

function certificate(world) {
  const path = mkdtempSync(join(tmpdir(), 'wsfan-slowly-'));
  world.closing(() => rmSync(path, { recursive: true, force: true }));
  const [cert, key] = [join(path, 'cert.pem'), join(path, 'key.pem')];
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout',
    key, '-out', cert, '-days', '1', '-subj', '/CN=localhost'], { stdio: 'ignore' });
  writeFileSync(join(path, 'token'), 'say it\n');
  return { tls: ['--tls-cert', cert, '--tls-key', key], token: ['--publish-token', join(path, 'token')] };
}

scenario('what does not come in time is ended, and nobody else waits for it', async (world) => {
  const { tls, token } = certificate(world);
  const alpha = await world.replica({ name: 'alpha', args: token });
  const secure = await world.replica({ name: 'secure', args: tls });
  const [port, tlsPort] = [alpha, secure].map(({ page }) => Number(new URL(page).port));
  const letters = Buffer.from('x'.repeat(200));
  const host = 'Host: 127.0.0.1\r\n';
  const slow = {
    nothing: trickle(world, port, '', letters.subarray(0, 0)),
    head: trickle(world, port, `GET / HTTP/1.1\r\n${host}X: `, letters),
    second: trickle(world, port, `GET /healthz HTTP/1.1\r\n${host}\r\nGET / HTTP/1.1\r\n${host}X: `, letters),
    body: trickle(world, port, `POST /publish HTTP/1.1\r\n${host}Authorization: Bearer say it\r\n` +
      'Content-Length: 1000\r\n\r\n{', letters),
    chunks: trickle(world, port, `POST /kick?user=x HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\n`,
      Buffer.from('1\r\nx\r\n')),
    asked: trickle(world, port, `HEAD / HTTP/1.1\r\n${host}X: `, letters),
    askedBody: trickle(world, port, `HEAD / HTTP/1.1\r\n${host}Content-Length: 1000\r\n\r\n`, letters),
    tls: trickle(world, tlsPort, '', letters.subarray(0, 0)),
    hello: trickle(world, tlsPort, Buffer.from([22, 3, 1, 1, 0]), Buffer.from([1, 0, 0, 252])),
  };
  const masked = Buffer.from([0x81, 0x80 | 126, 1, 0, 0, 0, 0, 0]);
  const frame = { answer: '', ended: false, socket: await handshake(world, alpha.address('lobby', 'slow')) };
  frame.socket.on('close', () => { frame.ended = true; });
  follow(world, frame, masked, letters);
  slow.frame = frame;
  // One that does not answer a ping is ended, one that does is not.
  const mute = { answer: '', ended: false, socket: await handshake(world, alpha.address('mute', 'mute')) };
  mute.socket.on('data', (data) => { mute.answer += data.toString('latin1'); });
  mute.socket.on('close', () => { mute.ended = true; });
  slow.mute = mute;
  const quiet = await Client.join(world, alpha, 'quiet', 'quiet');
  let pings = 0;
  quiet.socket.on('ping', () => { pings++; });
  // One that is busy all the time is ended by none of these limits, wherever its packets end.
  const busy = { answer: '', ended: false, socket: await handshake(world, alpha.address('busy', 'busy')) };
  busy.socket.on('close', () => { busy.ended = true; });
  const text = Buffer.from([0x81, 0x80 | 4, 0, 0, 0, 0, ...Buffer.from('busy')]);
  const texts = Buffer.concat(Array(50).fill(text));
  let written = 0;
  const timer = setInterval(() => {
    const begin = written % text.length;
    if (!busy.ended) busy.socket.write(texts.subarray(begin, begin + text.length + 3));
    written += text.length + 3;
  }, 200);
  world.closing(() => { clearInterval(timer); busy.socket.destroy(); });
  const idle = Array.from({ length: 300 }, () => trickle(world, port, '', letters.subarray(0, 0)));
  const [one, two] = [await Client.join(world, alpha, 'lobby', 'one'), await Client.join(world, alpha, 'lobby', 'two')];
  let said = 0;
  await until('all have been ended', async () => {
    one.say(`${said++}`);
    await two.frame(({ text }) => text === `${said - 1}`);
    return [...Object.values(slow), ...idle].every(({ ended }) => ended);
  }, ENDED_MS);
  const statuses = (name) => [...slow[name].answer.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => Number(status));
  const ended = { nothing: [], head: [408], second: [200, 408], body: [408], chunks: [408], asked: [408], askedBody: [408] };
  assert.deepEqual(Object.fromEntries(Object.keys(ended).map((name) => [name, statuses(name)])), ended);
  for (const name of ['asked', 'askedBody']) assert.match(slow[name].answer, /\r\n\r\n$/); // RFC 9110, 9.3.2: no body
  assert.match(mute.answer, /\x89\x00$/);
  for (const client of [one, quiet]) assert.equal(client.closed, null);
  assert.ok(pings > 0);
  assert.equal(busy.ended, false);
  await until('their places are free', async () => (await alpha.stats()).connections <= 5);
});

scenario('requests behind an answer that waited for its reader are answered, also after the end of input', async (world) => {
  const COUNT = 400; // the page each: more than a socket takes at once
  const alpha = await world.replica({ name: 'alpha' });
  for (const ends of [false, true]) {
    const socket = net.connect({ port: Number(new URL(alpha.page).port), host: '127.0.0.1', allowHalfOpen: true });
    world.closing(() => socket.destroy());
    let answer = '';
    let ended = false;
    socket.pause();
    socket.on('data', (data) => { answer += data.toString('latin1'); });
    socket.on('end', () => { ended = true; });
    socket.write('GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n'.repeat(COUNT));
    if (ends) socket.end();
    await until('the server has the connection', async () => (await alpha.stats()).connections === 2);
    socket.resume();
    const statuses = () => [...answer.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status);
    await until('all are answered', () => ended || (!ends && statuses().length === COUNT));
    assert.deepEqual(statuses(), Array(COUNT).fill('200'));
    socket.destroy();
    await until('its place is free', async () => (await alpha.stats()).connections === 1);
  }
});
