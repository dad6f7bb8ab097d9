// examples/minimal, which is to be copied: it does what it says, and nothing of what it must not do.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { WebSocket } from 'ws';
import { freePort, root, scenario, until } from './replica.mjs';

const program = process.env.MINIMAL || `${root}build/examples/minimal/minimal`;

async function start(world, peer) {
  const [port, mesh] = [await freePort(), await freePort()];
  const server = world.run(program, [port, `tcp://127.0.0.1:${mesh}`, ...peer ? [peer.mesh] : []].map(String));
  server.mesh = `tcp://127.0.0.1:${mesh}`;
  server.at = (chat) => `ws://127.0.0.1:${port}/${chat}`;
  server.page = `http://127.0.0.1:${port}/`;
  await until('it listens', () => fetch(server.page).catch((error) => error.cause.code !== 'ECONNREFUSED'));
  return server;
}

async function join(world, server, chat) {
  const socket = new WebSocket(server.at(chat));
  world.closing(() => socket.terminate());
  socket.texts = [];
  socket.on('message', (data, binary) => socket.texts.push(binary || data.toString()));
  socket.on('error', () => {});
  await once(socket, 'open');
  return socket;
}

const heard = (socket, text) => () => socket.texts.includes(text);

scenario('what is said in a chat is heard in it on both replicas, and nowhere else', async (world) => {
  const alpha = await start(world);
  const beta = await start(world, alpha);
  const [here, there, other] = [await join(world, alpha, 'lobby'), await join(world, beta, 'lobby'),
    await join(world, beta, 'attic')];
  await until('they have met', async () => { here.send('met'); return heard(there, 'met')(); });
  there.send('hello');
  other.send('alone');
  await until('all have heard theirs', () => heard(here, 'hello')() && heard(there, 'hello')() &&
    heard(other, 'alone')());
  assert.ok(!here.texts.includes('alone') && !there.texts.includes('alone') && !other.texts.includes('hello'));
  here.close();
  there.close();
  assert.deepEqual(await alpha.kill('SIGTERM'), { code: 0, signal: null });
  assert.deepEqual(await beta.kill('SIGTERM'), { code: 0, signal: null });
});

scenario('what it does not take ends one connection, and no other', async (world) => {
  const alpha = await start(world);
  const [one, bad] = [await join(world, alpha, 'lobby'), await join(world, alpha, 'lobby')];
  bad.send(Buffer.from([1, 2, 3]));
  await once(bad, 'close');
  const large = await join(world, alpha, 'lobby');
  large.send('x'.repeat(9000));
  await once(large, 'close');
  await assert.rejects(fetch(alpha.page, { method: 'POST', body: 'x' }));
  one.send('still here');
  await until('it is served', heard(one, 'still here'));
});

scenario('a client that does not read is cut, and the others do not wait', async (world) => {
  const alpha = await start(world);
  const [loud, deaf] = [await join(world, alpha, 'lobby'), await join(world, alpha, 'lobby')];
  deaf.pause();
  let number = 0;
  await until('its queue is full', async () => {
    for (let i = 0; i < 50; i++) loud.send(`${++number} ${'x'.repeat(8000)}`);
    await until('the loud one hears itself', () => loud.texts.at(-1)?.startsWith(`${number} `));
    return number > 2000; /* more than the sockets and its queue hold */
  });
  loud.send('the end');
  await until('it is served', heard(loud, 'the end'));
  deaf.resume();
  await once(deaf, 'close');
  assert.ok(!deaf.texts.includes('the end'));
});
