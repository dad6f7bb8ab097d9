// What other programs publish into a chat, and what echo-chat publishes for them: whole values.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { Client } from './client.mjs';
import { root, scenario, until } from './replica.mjs';

const program = process.env.WSFAN_PUBLISH || `${root}build/tests/cluster/wsfan-publish`;

// A node of another kind in the mesh of a replica.
export async function publisher(world, replica, chat) {
  const child = world.run(program, [replica.mesh, chat], { stdio: ['pipe', 'pipe', 'pipe'] });
  const lines = createInterface({ input: child.process.stdout });
  const [ready] = await once(lines, 'line');
  assert.equal(ready, 'ready', child.story());
  world.closing(() => child.process.stdin.end());
  return async (data, kind = 'text') => {
    child.process.stdin.write(`${kind} ${Buffer.from(data).toString('hex')}\n`);
    const [answer] = await once(lines, 'line');
    assert.equal(answer, 'OK');
  };
}

// A client that remembers what it got, before it is made JSON.
async function listen(world, replica, chat) {
  const client = new Client(world, replica.address(chat, 'listener'));
  client.binaries = [];
  client.socket.removeAllListeners('message');
  client.socket.on('message', (data, binary) => {
    if (binary) client.binaries.push(data.toString('hex'));
    else client.frames.push(JSON.parse(data.toString()));
  });
  await client.frame(({ type }) => type === 'joined');
  return client;
}

scenario('whatever another program publishes, each client gets a frame that is whole, and stays', async (world) => {
  const alpha = await world.replica({ name: 'alpha' });
  const client = await listen(world, alpha, 'lobby');
  const publish = await publisher(world, alpha, 'lobby');
  const id = /^[0-9a-f]{16}-[0-9a-f]{16}$/;
  let published = 0;
  const next = async (data, kind) => {
    await publish(data, kind);
    published++;
    return until('it arrives', () => client.frames.filter((frame) => id.test(frame.id))[published - 1]);
  };
  for (const object of [{}, { type: 'changed', item: 5 }, { a: { b: [1, 'é', null] } }, { type: 'message', text: 'x' },
    { text: 'a\u0000b' }, { id: 'mine', type: 'message', text: 'y' }, { big: 'x'.repeat(30000) }])
    for (const written of [JSON.stringify(object), ` \n${JSON.stringify(object, null, 2)}\n`]) {
      const frame = await next(written);
      assert.deepEqual({ ...frame, id: 0 }, { ...object, id: 0 }, written);
    }
  for (const written of ['{"position":"mine","replayed":true,"a":1}', '{"a":1,"posi\\u0074ion":"mine"}']) {
    const frame = await next(written);
    assert.deepEqual(frame, { id: frame.id, a: 1 }, written);
  }
  for (const text of ['', 'hello', '{', '{"type":"message"', '[1]', '"x"', 'null', '{}{}', '{"a":"\\ud800"}',
    '['.repeat(5000), 'a\u0000b'])
    assert.deepEqual(await next(text).then(({ type, text: said }) => [type, said]), ['message', text]);
  const bytes = ['', '00', 'ff', 'c328', 'eda080', '7b7d', '00'.repeat(300)];
  for (const hex of bytes) await publish(Buffer.from(hex, 'hex'), 'binary');
  for (const hex of ['ff', 'c328', 'eda080']) await publish(Buffer.from(hex, 'hex'));
  await until('they arrive', () => client.binaries.length === bytes.length + 3);
  assert.deepEqual(client.binaries, [...bytes, 'ff', 'c328', 'eda080']);
  client.say('still here');
  await client.frame(({ text }) => text === 'still here');
  assert.equal(client.closed, null);
});

scenario('another program closes clients with any reason that a close frame may have, and they get it whole', async (world) => {
  const alpha = await world.replica({ name: 'alpha' });
  for (const [i, reason] of ['', 'moved', 'é'.repeat(61), `x${'é'.repeat(61)}`, `xyz${'\u{1f98a}'.repeat(30)}`, 'a\u0000é'].entries()) {
    const close = await publisher(world, alpha, `chat ${i}`);
    const client = await Client.join(world, alpha, `chat ${i}`);
    await close(reason, 'close');
    assert.deepEqual(await client.close(), { code: 4000, reason });
  }
});
