// Who is in a large chat: what a client is told of it must not grow with it.

import assert from 'node:assert/strict';
import { Client } from './client.mjs';
import { scenario, until } from './replica.mjs';

const NAMED = 100; // as in members.c
const AT_ONCE = 50; // fewer than wait to be accepted

async function crowd(world, replicas, chat, count) {
  const clients = [];
  while (clients.length < count) {
    for (let i = 0; i < AT_ONCE && clients.length < count; i++) {
      const replica = replicas[clients.length % replicas.length];
      clients.push(new Client(world, replica.address(chat, `user ${clients.length}`)));
    }
    await until('they are in', () => clients.every((client) => client.of('joined').length > 0));
  }
  return clients;
}

const last = (client) => client.of('members').at(-1);
const counts = (client, users) => last(client)?.users === users;
const bytes = (client) => JSON.stringify(client.of('members')).length;
const names = (client) => client.of('members').reduce((sum, frame) => sum + frame.members.length, 0);

scenario('of a chat of any size a client is told a page, and then numbers', async (world) => {
  const replicas = await world.cluster('alpha', 'beta');
  const sizes = [150, 450];
  const average = [];
  for (const size of sizes) {
    const clients = await crowd(world, replicas, `of ${size}`, size);
    await until('all know of all', () => clients.every((client) => counts(client, size)));
    for (const client of clients) {
      assert.ok(last(client).large);
      assert.ok(last(client).complete);
      assert.ok(client.members().size > 0 && client.members().size <= NAMED);
      assert.ok(names(client) <= 4 * NAMED, `${names(client)} names`); // all of a small chat, and its changes
    }
    average.push(clients.reduce((sum, client) => sum + bytes(client), 0) / size);
    const late = await Client.join(world, replicas[0], `of ${size}`, 'late');
    assert.equal(late.of('members')[0].members.length, NAMED);
  }
  assert.ok(average[1] < 1.5 * average[0], `of a chat three times as large: ${average} bytes`);
});

scenario('all members of a large chat are listed in pages, and a chat that is small again is told by name', async (world) => {
  const args = ['--grace', '0'];
  const replicas = await world.cluster('alpha', 'beta', 'gamma', { args });
  const count = 200;
  const clients = await crowd(world, replicas.slice(0, 2), 'tea & cake', count);
  const listed = new Map();
  let page = { next: '' };
  for (let pages = 0; page.next !== undefined; pages++) { // of the one that has nobody in it
    assert.ok(pages < 3);
    const answer = await fetch(new URL(`members?chat=${encodeURIComponent('tea & cake')}&after=${page.next}`,
      replicas[2].page));
    page = await answer.json();
    assert.deepEqual([answer.status, page.complete, page.missing], [200, true, []]);
    for (const { id, user, node } of page.members) listed.set(id, { user, node });
  }
  assert.equal(listed.size, count);
  for (const [i, { session }] of clients.map((client) => client.of('welcome')[0]).entries())
    assert.deepEqual(listed.get(session), { user: `user ${i}`, node: ['alpha', 'beta'][i % 2] });
  for (const path of ['members', 'members?chat=', 'members?chat=x&after=1', `members?chat=${'x'.repeat(129)}`])
    assert.equal((await fetch(new URL(path, replicas[0].page))).status, 400, path);

  const stay = clients.slice(0, 20);
  for (const client of clients.slice(20)) client.socket.close();
  const expected = stay.map((client, i) => `user ${i}`).sort();
  for (const client of stay)
    await until('who is left is named', () => last(client)?.users === 20 && !last(client).large &&
      client.members().size === 20);
  for (const client of stay) assert.deepEqual([...client.members().keys()].sort(), expected);
});
