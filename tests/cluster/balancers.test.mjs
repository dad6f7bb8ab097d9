// All clients of a chat on one replica, by the balancer's own hash.

import assert from 'node:assert/strict';
import { haproxy, nginx } from './balancers.mjs';
import { Client } from './client.mjs';
import { scenario, until } from './replica.mjs';

const CHATS = Array.from({ length: 24 }, (_, i) => `room-${i}`);
const address = (host, chat, user) => `ws://${host}/ws?${new URLSearchParams({ chat, user })}`;

// joined: until every replica knows; while one is silent that takes its time.
async function enter(world, host, chat, user, joined = true) {
  const client = new Client(world, address(host, chat, user));
  const { session, node } = await client.frame((frame) => frame.type === 'welcome');
  if (joined) await client.frame((frame) => frame.type === 'joined' && frame.session === session);
  return Object.assign(client, { session, node, chat });
}

async function payload(replicas) {
  let bytes = 0;
  for (const replica of replicas)
    for (const peer of (await replica.stats()).peers) bytes += peer.payload_bytes_out;
  return bytes;
}

for (const [name, start] of Object.entries({ nginx, haproxy }))
  scenario(`${name}: a chat is on one replica, nothing goes over the mesh, and only what died moves`,
    async (world) => {
      const replicas = await world.cluster('alpha', 'beta', 'gamma');
      const { host } = await start(world, replicas);
      const clients = [];
      for (const chat of CHATS)
        for (let i = 0; i < 3; i++) clients.push(await enter(world, host, chat, `user ${i}`));
      const home = new Map();
      for (const { chat, node } of clients) {
        assert.equal(home.get(chat) ?? node, node, `${chat} is on two replicas`);
        home.set(chat, node);
      }
      for (const { name: node } of replicas)
        assert.ok([...home.values()].includes(node), `${node} has no chat`);

      const before = await payload(replicas);
      for (const client of clients) client.say(`in ${client.chat}`);
      for (const client of clients) {
        await until('each gets the three of its chat', () => client.messages.length === 3);
        for (const { text } of client.messages) assert.equal(text, `in ${client.chat}`);
      }
      assert.equal(await payload(replicas) - before, 0);

      const dead = replicas[1];
      await dead.kill('SIGKILL');
      const there = clients.filter(({ node }) => node === dead.name);
      for (const client of there) await client.close();
      let seen; // while it notices the death, a balancer may try one replica, then another, or end what it tried
      await until('the balancer has settled', async () => {
        const before = seen;
        const nodes = [];
        for (const { chat } of there) {
          const probe = await enter(world, host, chat, 'probe', false).catch(() => null);
          nodes.push(probe?.node);
          probe?.socket.close();
        }
        seen = `${nodes}`;
        return seen === before && !nodes.includes(undefined);
      });
      const again = [];
      for (const { chat } of there) again.push(await enter(world, host, chat, 'back', false));
      const moved = new Map();
      for (const { chat, node } of again) {
        assert.notEqual(node, dead.name);
        assert.equal(moved.get(chat) ?? node, node, `${chat} is on two replicas`);
        moved.set(chat, node);
      }
      for (const client of clients.filter(({ node }) => node !== dead.name)) {
        assert.equal(client.closed, null);
        const twin = await enter(world, host, client.chat, 'late', false);
        assert.equal(twin.node, client.node); // nor would it now go elsewhere
        twin.socket.close();
      }
      for (const client of again) client.say(`again in ${client.chat}`);
      for (const client of again)
        await client.frame((frame) => frame.text === `again in ${client.chat}`);
    });

for (const [name, start] of Object.entries({ nginx, haproxy }))
  scenario(`${name}: a replica that drains closes its clients itself, and gets no new ones`, async (world) => {
    const replicas = await world.cluster('alpha', 'beta', 'gamma', { args: ['--drain', '2'] });
    const { host } = await start(world, replicas);
    const clients = [];
    for (const chat of CHATS) clients.push(await enter(world, host, chat, 'user'));
    const [ending] = replicas;
    const there = clients.filter(({ node }) => node === ending.name);
    assert.ok(there.length > 1);
    const ended = ending.kill('SIGTERM');
    await until('the first is sent away', () => there.some(({ closed }) => closed));
    for (const { chat, closed } of there) {
      if (!closed) continue;
      const again = new Client(world, address(host, chat, 'again'));
      await until('it has an answer', () => again.error || again.frames[0]);
      if (!again.error) assert.notEqual(again.frames[0].node, ending.name);
    }
    for (const client of there) assert.equal((await client.close()).code, 1001);
    assert.deepEqual(await ended, { code: 0, signal: null });
    for (const client of clients.filter(({ node }) => node !== ending.name)) assert.equal(client.closed, null);
  });
