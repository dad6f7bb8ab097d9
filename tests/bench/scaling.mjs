// The four ways of docs/scaling.md under one load, with real processes:
//   ECHO_CHAT=... THIN_CLIENT=... node tests/bench/scaling.mjs
// Prints a table. Node.js plays all clients in one process, so rates compare the ways with each other
// and are no limits of the server.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { haproxy } from '../cluster/balancers.mjs';
import { Client } from '../cluster/client.mjs';
import { World, root, until } from '../cluster/replica.mjs';

const CHATS = 30;
const MEMBERS = 3; // of each chat, as in the story: one user, three tabs
const ROUNDS = 40; // messages of each client
const TEXT = 'x'.repeat(100);
const thin = process.env.THIN_CLIENT || `${root}build/examples/thin-client/thin-client`;

const NAMES = ['alpha', 'beta', 'gamma'];
const chatOf = (i) => `chat-${Math.floor(i / MEMBERS)}`; // its members come one after another

async function enter(world, host, i) {
  const chat = chatOf(i);
  const query = new URLSearchParams({ chat, user: `user ${i}` });
  const client = new Client(world, `ws://${host}/ws?${query}`);
  const { session, node } = await client.frame((frame) => frame.type === 'welcome');
  await client.frame((frame) => frame.type === 'joined' && frame.session === session);
  return Object.assign(client, { chat, node, number: i });
}

async function mesh(replicas) {
  const sum = { bytes: 0, payload: 0 };
  for (const replica of replicas.filter((replica) => !replica.exit))
    for (const peer of (await replica.stats()).peers) {
      sum.bytes += peer.bytes_in; // also of what the service sends
      sum.payload += peer.payload_bytes_in;
    }
  return sum;
}

// What each client of a chat should see: what all of the chat say.
const WHOLE = CHATS * MEMBERS * ROUNDS * MEMBERS;

// What can be seen: without a mesh only the members on the same replica hear each other.
function expected(clients, standalone) {
  const hear = (a, b) => a.chat === b.chat && (!standalone || a.node === b.node);
  return ROUNDS * clients.reduce((sum, a) => sum + clients.filter((b) => hear(a, b)).length, 0);
}

async function sayAll(clients, count, all) {
  for (let round = 0; round < ROUNDS; round++) {
    for (const client of clients) client.say(`${round} ${TEXT}`);
    await new Promise(setImmediate);
  }
  await until('all has come', () => count() >= all, 120000);
}

const heard = (clients) => () => clients.reduce((sum, client) => sum + client.messages.length, 0);

// The thin tier: a text goes to the service, members hear that it is there, and fetch it.
async function postAll(clients, page, seen) {
  const look = async (client) => {
    if (client.looking) return void (client.again = true);
    client.looking = true;
    do {
      client.again = false;
      const query = new URLSearchParams({ chat: client.chat, after: client.after || 0 });
      const items = await (await fetch(`${page}items?${query}`)).json();
      for (const { item } of items) client.after = item;
      seen.count += items.length;
      client.again = client.again || items.length === 200;
    } while (client.again);
    client.looking = false;
  };
  for (const client of clients)
    client.socket.on('message', (data) => {
      if (JSON.parse(data).type === 'changed') look(client);
    });
  for (let round = 0; round < ROUNDS; round++)
    await Promise.all(clients.map((client) => fetch(`${page}items`, { method: 'POST',
      body: JSON.stringify({ chat: client.chat, user: 'u', text: `${round} ${TEXT}` }) })));
  await until('all was fetched', () => seen.count >= WHOLE, 120000);
}

async function measure(name, { standalone, config, service }) {
  const world = new World();
  try {
    const replicas = standalone
      ? await Promise.all(NAMES.map((node) =>
        world.replica({ name: node, mesh: null, args: ['--standalone'] })))
      : await world.cluster(...NAMES);
    const { host } = await haproxy(world, replicas, config);
    let page;
    if (service) {
      const directory = mkdtempSync(join(tmpdir(), 'wsfan-scaling-'));
      world.closing(() => rmSync(directory, { recursive: true, force: true }));
      const child = world.run(thin, ['--store', join(directory, 'store'), '--sockets', `ws://${host}`,
        '--listen', '0', '--mesh', 'tcp://127.0.0.1:*', '--join', replicas[0].mesh]);
      [, page] = await child.printed(/^ready: page (\S+)$/m);
      await until('it is met', async () => (await replicas[2].stats()).peers_up === 3);
    }
    const clients = [];
    for (let i = 0; i < CHATS * MEMBERS; i++) clients.push(await enter(world, host, i));
    const on = NAMES.map((node) => clients.filter((client) => client.node === node).length);

    const seen = { count: 0 };
    const count = service ? () => seen.count : heard(clients);
    const before = await mesh(replicas);
    const began = performance.now();
    await (service ? postAll(clients, page, seen)
      : sayAll(clients, count, expected(clients, standalone)));
    const delivered = count();
    const seconds = (performance.now() - began) / 1000;
    const after = await mesh(replicas);
    const messages = CHATS * MEMBERS * ROUNDS;

    const dead = replicas[1];
    const lost = clients.filter((client) => client.node === dead.name);
    const killed = performance.now();
    await dead.kill('SIGKILL');
    await Promise.all(lost.map((client) => client.close()));
    const back = await Promise.all(lost.map(async ({ number }) => {
      for (;;) {
        const query = new URLSearchParams({ chat: chatOf(number), user: `user ${number}` });
        const client = new Client(world, `ws://${host}/ws?${query}`);
        await until('an answer', () => client.closed || client.of('welcome').length > 0);
        if (!client.closed) return client;
      }
    }));
    const backMs = Math.round(performance.now() - killed);
    const others = clients.filter((client) => client.node !== dead.name);
    return {
      name,
      payload: ((after.payload - before.payload) / messages).toFixed(0),
      bytes: ((after.bytes - before.bytes) / messages).toFixed(0),
      rate: Math.round(delivered / seconds),
      share: `${(100 * delivered / WHOLE).toFixed(0)} %`,
      even: on.join(' / '),
      dies: `${back.length} of ${clients.length} reconnect, the last after ${backMs} ms; ` +
        `${others.filter((client) => client.closed).length} others notice`,
    };
  } catch (error) {
    for (const child of world.children) console.error(child.story());
    throw error;
  } finally {
    await world.end();
  }
}

const ways = [
  ['1. do nothing', { standalone: true, config: 'examples/haproxy.cfg' }],
  ['relay', { config: 'examples/haproxy.cfg' }],
  ['2. balance by chat', { config: 'examples/balancers/haproxy.cfg' }],
  ['3. thin tier', { config: 'examples/haproxy.cfg', service: true }],
];
console.log(`${CHATS} chats of ${MEMBERS} clients, ${ROUNDS} messages of ${TEXT.length} bytes each\n`);
console.log('| way | chat members reached | mesh, payload bytes per message | mesh, all bytes per ' +
  'message | deliveries/s | clients on each replica | when a replica is killed |');
console.log('|---|---|---|---|---|---|---|');
for (const [name, way] of ways) {
  const row = await measure(name, way);
  console.log(`| ${row.name} | ${row.share} | ${row.payload} | ${row.bytes} | ${row.rate} | ` +
    `${row.even} | ${row.dies} |`);
}
