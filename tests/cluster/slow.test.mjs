// A client that does not read must cost a bounded amount of memory, and nobody else anything.

import assert from 'node:assert/strict';
import { Client, frame, handshake } from './client.mjs';
import { scenario, SOON, until } from './replica.mjs';

// What was on its way, and then the close frame: 0x88, its size, 1013 and the reason.
async function closedAsSlow(socket) {
  let tail = Buffer.alloc(0);
  let ended = false;
  socket.on('data', (data) => { tail = Buffer.concat([tail, data]).subarray(-64); });
  socket.on('close', () => { ended = true; });
  socket.resume();
  await until('the connection ends', () => ended);
  const reason = 'this client reads too slowly';
  const close = Buffer.from([0x88, reason.length + 2, 1013 >> 8, 1013 & 0xff]);
  assert.equal(tail.subarray(-close.length - reason.length).toString('latin1'), close.toString('latin1') + reason);
}

scenario('a client that never reads is closed with 1013 and counted; the others miss nothing',
  async (world) => {
    const [alpha, beta] = await world.cluster('alpha', 'beta', SOON);
    const slow = await handshake(world, alpha.address('busy', 'sleeper'));
    slow.pause();
    const speaker = await Client.join(world, beta, 'busy');
    const reader = await Client.join(world, alpha, 'busy');
    const text = 'x'.repeat(16000);
    let said = 0;
    // One at a time, so that only the sleeper can be too slow: kernel buffers fill, then its queue.
    await until('the sleeper is given up', async () => {
      for (let i = 0; i < 20; i++, said++) speaker.say(`${said} ${text}`);
      await until('the reader keeps up', () => reader.messages.length === said);
      return (await alpha.stats()).clients.slow === 1;
    });
    const stats = await alpha.stats();
    assert.equal(stats.sessions, 1); // it has left the cluster at once, whenever its connection ends
    assert.equal(stats.outbound.closed, 1);

    await closedAsSlow(slow);

    speaker.say('the end');
    for (const client of [reader, speaker]) await client.frame(({ text: last }) => last === 'the end');
    assert.equal(reader.messages.length, said + 1);
    assert.equal(speaker.messages.length, said + 1);
    await until('the others see it leave', () => !reader.people().includes('sleeper@alpha'));
    assert.equal((await alpha.stats()).clients.slow, 1);
  });

scenario('a client that never reads again is cut off', async (world) => {
  const alpha = await world.replica({ name: 'alpha' });
  const slow = await handshake(world, alpha.address('busy', 'sleeper'));
  slow.pause();
  const speaker = await Client.join(world, alpha, 'busy');
  let said = 0;
  await until('the sleeper is given up', async () => {
    for (let i = 0; i < 20; i++, said++) speaker.say('x'.repeat(16000));
    await until('the speaker keeps up', () => speaker.messages.length === said);
    return (await alpha.stats()).clients.slow === 1;
  });
  await until('its connection is gone', async () => (await alpha.stats()).clients.open === 1);
});

scenario('a client that pings and never reads the pongs is one that never reads', async (world) => {
  const alpha = await world.replica({ name: 'alpha' });
  const reader = await Client.join(world, alpha, 'lobby', 'reader');
  const slow = await handshake(world, alpha.address('lobby', 'pinger'));
  await until('it is in', () => reader.people().includes('pinger@alpha'));
  slow.pause();
  const pings = Buffer.concat(Array(1000).fill(frame(0x89, 'x'.repeat(125))));
  await until('it is given up', async () => {
    for (let i = 0; i < 10; i++) slow.write(pings);
    await until('the replica has read them', () => slow.writableLength === 0);
    return (await alpha.stats()).clients.slow === 1;
  });
  const stats = await alpha.stats();
  assert.deepEqual([stats.clients.open, stats.sessions, stats.outbound.closed], [1, 1, 1]); // it has left at once
  await closedAsSlow(slow);
  assert.equal((await alpha.stats()).clients.slow, 1);
});
