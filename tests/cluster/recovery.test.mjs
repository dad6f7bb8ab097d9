// A thousand clients of chats with history come back when replicas are restarted one after another, when one is killed, and
// when all are.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { meshed, scenario, until } from './replica.mjs';
import { Crowd } from './returners.mjs';

const NAMES = ['alpha', 'beta', 'gamma'];
const SECRET = 'what the replicas share';

// Of chats with many on each replica, of chats with few, and of those that are alone in their chat, so that only nodes
// without a session in it have what comes while they are away.
const SIZES = [250, ...Array(5).fill(50), ...Array(50).fill(5), ...Array(250).fill(1)];

function keeping(world, ...more) {
  const directory = mkdtempSync(join(tmpdir(), 'wsfan-recovery-'));
  world.closing(() => rmSync(directory, { recursive: true, force: true }));
  const file = join(directory, 'secret');
  writeFileSync(file, SECRET);
  return { args: ['--history', '60', '--history-key', file, '--publish-token', file, ...more] };
}

// Everybody is in its chat, and has got messages there.
async function crowd(world, replicas) {
  const clients = new Crowd(world, replicas, SECRET, SIZES);
  assert.equal(clients.all.length, 1000);
  await until('all are in', () => clients.areIn());
  await until('all have got something', () => clients.all.every(({ texts }) => texts.length > 0));
  return clients;
}

async function restart(world, clients, name, options) {
  const old = clients.open.find((replica) => replica.name === name);
  const others = clients.open.filter((replica) => replica !== old);
  clients.open = others;
  old.process.kill('SIGTERM');
  await until(`${name} has ended`, () => old.exit);
  assert.deepEqual(old.exit, { code: 0, signal: null });
  const replicas = [...others, await world.replica({ name, joins: [others[0].mesh], ...options })];
  await meshed(replicas);
  clients.open = clients.publishers = replicas;
}

scenario('replicas restart one after another, twice: everybody recovers, and nothing is missing', async (world) => {
  const options = keeping(world, '--drain', '2');
  const clients = await crowd(world, await world.cluster(...NAMES, options));
  for (let round = 0; round < 2; round++)
    for (const name of NAMES) {
      const away = clients.all.filter((_, i) => i % 7 === round);
      for (const client of away) client.goAway(); // until another replica has taken the place of this one
      await restart(world, clients, name, options);
      for (const client of away) client.comeBack();
      await until('all are in again', () => clients.areIn());
    }
  await clients.becomeQuiet();
  assert.deepEqual(clients.unrecovered('whole'), []);
  assert.ok(clients.all.every(({ verdicts }) => verdicts.length > 2), 'everybody had to go, more than once');
  await clients.hasAll();
});

scenario('kill -9 of a replica: its clients recover elsewhere, and nothing is missing', async (world) => {
  const replicas = await world.cluster(...NAMES, keeping(world));
  const clients = await crowd(world, replicas);
  const victim = replicas[2];
  await clients.hush(victim); // what had not left it would die with it
  clients.open = replicas.slice(0, 2);
  await victim.kill('SIGKILL');
  await until('all are in again', () => clients.areIn());
  await clients.becomeQuiet();
  assert.deepEqual(clients.unrecovered('whole'), []);
  assert.ok(clients.all.filter(({ verdicts }) => verdicts.length > 1).length >= 300, 'a third had to go');
  await clients.hasAll();
});

scenario('all replicas are killed at once: everybody is told that', async (world) => {
  const options = keeping(world);
  const replicas = await world.cluster(...NAMES, options);
  const clients = await crowd(world, replicas);
  await clients.becomeQuiet();
  clients.open = [];
  await Promise.all(replicas.map((replica) => replica.kill('SIGKILL')));
  clients.open = await world.cluster(...NAMES, options);
  await until('all are in again', () => clients.areIn());
  assert.deepEqual(clients.unrecovered('epoch'), []);
  assert.ok(clients.all.every(({ verdicts }) => verdicts.length === 2));
});
