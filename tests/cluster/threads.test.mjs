// echo-chat --threads: several loops are one server to its clients.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from './client.mjs';
import { binary, freePort, meshed, scenario, until } from './replica.mjs';

const THREADS = ['--threads', '4'];

function tokenFile(world) {
  const path = mkdtempSync(join(tmpdir(), 'wsfan-threads-'));
  world.closing(() => rmSync(path, { recursive: true, force: true }));
  writeFileSync(join(path, 'token'), 'say it\n');
  return join(path, 'token');
}

// By a connection of its own, and so on any thread.
const ask = (replica, path, { method = 'GET', headers = {}, body } = {}) => new Promise((resolve, reject) => {
  const request = http.request(new URL(path, replica.page), { method, headers, agent: false }, (response) => {
    const parts = [];
    response.on('data', (part) => parts.push(part));
    response.on('end', () => resolve({ status: response.statusCode, text: Buffer.concat(parts).toString() }));
  });
  request.on('error', reject);
  request.end(body);
});

scenario('clients of all threads and replicas are in one chat, and in one count', async (world) => {
  const alpha = await world.replica({ name: 'alpha', args: THREADS });
  const beta = await world.replica({ name: 'beta', joins: [alpha.mesh], args: THREADS });
  await meshed([alpha, beta]);
  const clients = [];
  for (let i = 0; i < 40; i++)
    clients.push(await Client.join(world, i % 2 ? alpha : beta, 'lobby', `user ${i}`));
  for (const [i, client] of clients.entries()) client.say(`from ${i}`);
  for (const client of clients) await until('each has all', () => client.messages.length === clients.length);
  const order = (client) => client.messages.map(({ id }) => id).join();
  assert.equal(new Set(clients.filter((_, i) => i % 2).map(order)).size, 1);
  for (const client of clients)
    await until('each is shown all', () => client.members().size === clients.length);
  const stats = await alpha.stats();
  assert.deepEqual([stats.threads, stats.clients.open, stats.sessions], [4, 20, 20]);
  const { text } = await ask(beta, 'users?user=user%201');
  assert.equal(JSON.parse(text).sessions.length, 1);
  assert.equal((await ask(beta, 'kick?user=user%201', { method: 'POST' })).status, 200);
  assert.equal((await clients[1].close()).code, 4001);
  for (const client of clients) client.socket.close();
  await until('nobody is left', async () => (await alpha.stats()).clients.open === 0);
});

scenario('limits and keys are those of the replica, not of a thread', async (world) => {
  const alpha = await world.replica({ name: 'alpha', mesh: null,
    args: [...THREADS, '--clients', '10', '--publish-token', tokenFile(world)] });
  const clients = Array.from({ length: 30 }, (_, i) => new Client(world, alpha.address('lobby', `user ${i}`)));
  await until('each has an answer', () => clients.every(({ error, frames }) => error || frames[0]));
  const inside = clients.filter(({ error }) => !error);
  assert.ok(inside.length >= 10 && inside.length <= 13, `${inside.length}`); // one more for each thread at most
  await until('they are in', () => inside.every((client) => client.of('joined').length > 0));
  const publish = () => ask(alpha, 'publish', { method: 'POST', body: '{"chat":"lobby","text":"once"}',
    headers: { authorization: 'Bearer say it', 'idempotency-key': 'one' } });
  const first = await publish();
  assert.equal(first.status, 200);
  for (const again of await Promise.all(Array.from({ length: 20 }, publish))) assert.deepEqual(again, first);
  inside[0].say('last');
  for (const client of inside) await client.frame(({ text }) => text === 'last');
  for (const client of inside) assert.equal(client.messages.length, 2);
});

scenario('all threads end with the replica, and their clients are told', async (world) => {
  const alpha = await world.replica({ name: 'alpha', args: [...THREADS, '--drain', '1'] });
  const clients = await Promise.all(Array.from({ length: 20 }, (_, i) =>
    Client.join(world, alpha, 'lobby', `user ${i}`)));
  assert.deepEqual(await alpha.kill('SIGTERM'), { code: 0, signal: null });
  for (const client of clients) assert.equal((await client.close()).code, 1001);
});

scenario('a port of threads is not shared with another program', async (world) => {
  const alpha = await world.replica({ name: 'alpha', mesh: null, args: THREADS });
  for (const more of [[], THREADS]) {
    const other = world.run(binary, ['--listen', alpha.host, ...more]);
    assert.deepEqual(await other.exited, { code: 1, signal: null });
    assert.match(other.stderr, /Address already in use/);
  }
  for (const count of ['0', '65', 'x']) {
    const bad = world.run(binary, ['--threads', count]);
    assert.equal((await bad.exited).code, 2);
    assert.match(bad.stderr, /--threads .*: it must be a number from 1 to 64/);
  }
});

scenario('of replicas that start at once on one port, one gets it', async (world) => {
  const port = await freePort();
  const all = Array.from({ length: 6 }, () => world.run(binary, ['--listen', `127.0.0.1:${port}`, ...THREADS]));
  await until('each has it or has ended', () => all.every(({ exit, stdout }) => exit || /^ready: /.test(stdout)));
  const winners = all.filter(({ exit }) => !exit);
  assert.equal(winners.length, 1);
  for (const { exit, stderr } of all.filter((one) => one !== winners[0])) {
    assert.deepEqual(exit, { code: 1, signal: null });
    assert.match(stderr, /Address already in use/);
  }
  assert.deepEqual(await winners[0].kill('SIGTERM'), { code: 0, signal: null });
});
