// Where clients belong: without a mesh, with --placement redirect, and when a replica comes or goes.

import assert from 'node:assert/strict';
import { readFileSync, readdirSync, readlinkSync } from 'node:fs';
import WebSocket from 'ws';
import { Client } from './client.mjs';
import { binary, freePort, meshed, scenario, SOON, until } from './replica.mjs';

const NAMES = ['alpha', 'beta', 'gamma'];

// Replicas that know their public address beforehand, and where all agree on owners.
async function placed(world, names = NAMES) {
  const replicas = [];
  for (const name of names) replicas.push(await start(world, name, replicas));
  await meshed(replicas);
  await until('all agree', () => agree(replicas));
  return replicas;
}

async function start(world, name, others, host) {
  const address = host || `127.0.0.1:${await freePort()}`;
  return world.replica({ name, listen: address, joins: others.slice(0, 1).map((r) => r.mesh),
    args: ['--placement', 'redirect', '--public', address, '--origin', '*', ...SOON.args] });
}

async function owner(replica, chat) {
  const response = await fetch(new URL(`owner?${new URLSearchParams({ chat })}`, replica.page));
  assert.equal(response.status, 200);
  return response.json();
}

const CHATS = Array.from({ length: 60 }, (_, i) => `chat ${i}`);

async function owners(replica) {
  return Promise.all(CHATS.map(async (chat) => (await owner(replica, chat)).node));
}

// Every replica owns something, and all name the same owner of everything.
async function agree(replicas) {
  const all = await Promise.all(replicas.map(owners));
  return new Set(all[0]).size === replicas.length &&
    all.every((list) => `${list}` === `${all[0]}`) && all[0];
}

// Goes where it is sent, as a program does by 307, or a page by the close frame.
async function follow(world, replica, chat, user, origin) {
  let address = replica.address(chat, user);
  for (let hops = 0; hops < 5; hops++) {
    const client = new Client(world, address, { followRedirects: true, origin });
    await until('an answer', () => client.closed || client.of('welcome').length > 0);
    if (client.closed?.code !== 4307) return client;
    const [, to] = /^moved to http:\/\/(\S+)$/.exec(client.closed.reason);
    address = `ws://${to}/ws?${new URLSearchParams({ chat, user, hops: hops + 1 })}`;
  }
  throw new Error('sent in circles');
}

const nodeOf = (client) => client.of('welcome')[0].node;

scenario('--standalone opens nothing but the port for clients, and all works', async (world) => {
  const alone = await world.replica({ name: 'alone', mesh: null, args: ['--standalone'] });
  const pid = alone.process.pid;
  const inodes = readdirSync(`/proc/${pid}/fd`).map((fd) => {
    try {
      return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1];
    } catch { /* it was closed meanwhile */ }
  }).filter(Boolean);
  const listening = ['tcp', 'tcp6'].flatMap((table) =>
    readFileSync(`/proc/${pid}/net/${table}`, 'latin1').split('\n').slice(1)
      .map((line) => line.trim().split(/\s+/))
      .filter((row) => row[3] === '0A' && inodes.includes(row[9])).map((row) => row[1]));
  const port = Number(new URL(alone.page).port).toString(16).toUpperCase().padStart(4, '0');
  assert.deepEqual(listening, [`0100007F:${port}`]);
  assert.equal(readdirSync(`/proc/${pid}/task`).length, 1); // no thread beside the program's own
  assert.equal((await fetch(new URL('readyz', alone.page))).status, 200);

  const one = await Client.join(world, alone, 'lobby', 'one');
  const two = await Client.join(world, alone, 'lobby', 'two');
  one.say('hello');
  await two.frame((frame) => frame.text === 'hello');
  const bad = world.run(binary, ['--standalone', '--mesh', 'tcp://127.0.0.1:*']);
  assert.equal((await until('it ends', () => bad.exit)).code, 2);
  assert.match(bad.stderr, /--standalone and --mesh exclude each other/);
});

scenario('programs get 307 before the upgrade, browsers a close frame that says where to',
  async (world) => {
    const replicas = await placed(world);
    const list = await owners(replicas[0]);
    const chat = CHATS[list.indexOf('gamma')];
    const gamma = replicas[2];
    const plain = new Client(world, replicas[0].address(chat, 'anna'));
    await until('it is refused', () => plain.closed);
    assert.match(`${plain.error}`, /Unexpected server response: 307/);
    for (const origin of [undefined, 'http://page.example']) {
      const client = await follow(world, replicas[0], chat, 'ben & é', origin);
      assert.equal(nodeOf(client), 'gamma');
      await client.frame((frame) => frame.type === 'members' &&
        frame.members.some(({ user }) => user === 'ben & é'));
      client.socket.close();
    }
    const direct = new Client(world, replicas[0].address(chat, 'carl'), { origin: 'http://x' });
    assert.deepEqual(await direct.close(),
      { code: 4307, reason: `moved to http://${gamma.host}` });
    // Sent on twice already: kept, so that nobody is sent in circles.
    const kept = new Client(world, `${replicas[0].address(chat, 'dora')}&hops=2`);
    await kept.frame((frame) => frame.type === 'welcome');
    assert.equal(nodeOf(kept), 'alpha');
  });

scenario('with every chat on one replica the mesh carries no payload, and all arrives',
  async (world) => {
    const replicas = await placed(world);
    const clients = [];
    for (const [i, chat] of CHATS.slice(0, 20).entries())
      for (let member = 0; member < 3; member++) {
        const client = await follow(world, replicas[(i + member) % 3], chat, `user ${member}`);
        await client.frame((frame) => frame.type === 'joined' &&
          frame.session === client.of('welcome')[0].session);
        clients.push({ client, chat });
      }
    const before = await traffic(replicas);
    for (const { client, chat } of clients) client.say(`in ${chat} ${'x'.repeat(500)}`);
    for (const { client, chat } of clients) {
      await until('each has three', () => client.messages.length === 3);
      for (const message of client.messages) assert.ok(message.text.startsWith(`in ${chat} `));
    }
    const after = await traffic(replicas);
    assert.equal(after.payload - before.payload, 0);
    assert.equal(after.messages - before.messages, 0);
    // Something does go over the mesh, so the counters are alive.
    assert.ok(after.bytes > 0);
  });

async function traffic(replicas) {
  const sum = { payload: 0, messages: 0, bytes: 0 };
  for (const replica of replicas)
    for (const peer of (await replica.stats()).peers) {
      sum.payload += peer.payload_bytes_out;
      sum.messages += peer.messages_out;
      sum.bytes += peer.bytes_out;
    }
  return sum;
}

scenario('the chats of a replica that ends move, their clients follow, the others stay',
  async (world) => {
    const replicas = await placed(world);
    const before = await owners(replicas[0]);
    const clients = [];
    for (const chat of CHATS.slice(0, 24))
      clients.push({ chat, client: await follow(world, replicas[0], chat, 'anna') });
    const alpha = replicas[0];
    await replicas[2].kill('SIGKILL');
    const after = await until('its chats have new owners', async () => {
      const list = await owners(alpha);
      return !list.includes('gamma') && list;
    });
    for (const [i, node] of after.entries())
      if (before[i] !== 'gamma') assert.equal(node, before[i]);
    assert.equal(new Set(after.filter((_, i) => before[i] === 'gamma')).size, 2); // to both
    for (const { chat, client } of clients) {
      const had = before[CHATS.indexOf(chat)];
      if (had === 'gamma') {
        await client.close();
        const again = await follow(world, alpha, chat, 'anna');
        assert.equal(nodeOf(again), after[CHATS.indexOf(chat)]);
      } else {
        assert.equal(client.closed, null);
      }
    }

    // It comes back: what it had is sent home, by a close frame, and nothing else moves.
    const again = await start(world, 'gamma', [alpha], replicas[2].host);
    await meshed([alpha, replicas[1], again]);
    await until('it has its own again', async () => `${await owners(alpha)}` === `${before}`);
    for (const { chat, client } of clients)
      if (before[CHATS.indexOf(chat)] !== 'gamma') assert.equal(client.closed, null);
    const home = await follow(world, alpha, CHATS[before.indexOf('gamma')], 'ben');
    assert.equal(nodeOf(home), 'gamma');
  });

scenario('clients that are in when their chat moves are told where to', async (world) => {
  const [alpha] = await placed(world, ['alpha']);
  const clients = [];
  for (const chat of CHATS.slice(0, 20))
    clients.push({ chat, client: await follow(world, alpha, chat, 'anna') });
  const beta = await start(world, 'beta', [alpha]);
  const list = await until('beta owns some', async () => {
    const now = await owners(alpha);
    return now.includes('beta') && now;
  });
  for (const { chat, client } of clients) {
    if (list[CHATS.indexOf(chat)] === 'beta') {
      assert.deepEqual(await client.close(), { code: 4307, reason: `moved to http://${beta.host}` });
      assert.equal(nodeOf(await follow(world, alpha, chat, 'anna')), 'beta');
    } else {
      assert.equal(client.closed, null);
    }
  }
});

scenario('a replica that ends sends its clients away over the time it has, and is not ready',
  async (world) => {
    const [alpha, beta] = await world.cluster('alpha', 'beta');
    const gamma = await world.replica({ name: 'gamma', joins: [alpha.mesh],
      args: ['--drain', '2'] });
    await meshed([alpha, beta, gamma]);
    await until('it is ready', async () => (await fetch(new URL('readyz', gamma.page))).ok);
    const clients = [];
    for (let i = 0; i < 40; i++) clients.push(await Client.join(world, gamma, 'lobby', `u ${i}`));
    const listener = await Client.join(world, alpha, 'lobby', 'listener');
    gamma.process.kill('SIGTERM');
    await until('it is not ready', async () =>
      (await fetch(new URL('readyz', gamma.page))).status === 404);
    assert.equal((await fetch(new URL('healthz', gamma.page))).status, 200);
    const refused = new Client(world, gamma.address('lobby', 'late'));
    assert.match((await until('it is refused', () => refused.error)).message, /response: 503/);
    let said = 0;
    let stages = 0; // how often some were gone and some not
    await until('all are sent away', () => {
      const open = clients.filter((client) => !client.closed &&
        client.socket.readyState === WebSocket.OPEN);
      stages += open.length > 0 && open.length < clients.length;
      if (open.length > 0) open[open.length - 1].say(`last words ${said++}`);
      return open.length === 0;
    });
    assert.ok(stages >= 10, `${stages} stages`);
    for (const client of clients) assert.equal((await client.close()).code, 1001);
    assert.deepEqual(await gamma.exited, { code: 0, signal: null });
    // What was said while it ended: each that was accepted has come, in order.
    const heard = listener.messages.map((message) => Number(message.text.split(' ')[2]));
    assert.deepEqual(heard, [...heard].sort((a, b) => a - b));
    assert.ok(heard.length > 0);
    assert.equal(listener.of('gap').length, 0);
  });
