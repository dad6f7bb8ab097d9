// The servers of examples, which are to be copied: each does what examples/servers/README.md says, and nothing of what
// it must not do.

import assert from 'node:assert/strict';
import { WebSocket } from 'ws';
import { frame, handshake } from './client.mjs';
import { scenario, until } from './replica.mjs';
import { ends, hears, join, servers, start, startAll } from './servers.mjs';

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
    // civetweb may have given up a write half-way: it closes when a few pings have not been answered.
    await until(`${all[i].name} has cut it`, () => client.readyState === WebSocket.CLOSED, 60000);
    assert.ok(!client.heard.includes('the end'));
  }
  await Promise.all(all.map(ends));
});
