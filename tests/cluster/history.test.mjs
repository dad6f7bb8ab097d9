// --history: who comes back, to any replica, gets what it missed, or is told that it may have missed something.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from './client.mjs';
import { binary, freePort, meshed, scenario, until } from './replica.mjs';
import { Seen } from './returners.mjs';

const NAMES = ['alpha', 'beta', 'gamma'];
const KEY = 'of the replicas of these tests';

function keyFile(world, text = `${KEY}\n`) {
  const directory = mkdtempSync(join(tmpdir(), 'wsfan-history-'));
  world.closing(() => rmSync(directory, { recursive: true, force: true }));
  const file = join(directory, 'history.key');
  writeFileSync(file, text);
  return file;
}

const keeping = (world, ...more) =>
  ({ args: ['--history', '60', '--history-key', keyFile(world), ...more] });

// A client as a program would write it: it knows how far it has seen the chat, and what it has got of it.
class Returner extends Client {
  constructor(world, replica, chat, more = {}, options = {}) {
    const arguments_ = { chat, user: 'returner', ...more };
    super(world, `ws://${replica.host}/ws?${new URLSearchParams(arguments_)}`, options);
  }

  async joined() {
    return this.frame((frame) => frame.type === 'joined');
  }

  get position() {
    const seen = new Seen();
    for (const frame of this.frames) seen.take(frame);
    return seen.position;
  }

  get texts() {
    return this.messages.map((frame) => frame.text);
  }

  async has(text) {
    return this.frame((frame) => frame.text === text);
  }
}

async function enter(world, replica, chat, more, options) {
  const client = new Returner(world, replica, chat, more, options);
  await client.joined();
  return client;
}

async function leave(client) {
  client.socket.terminate();
  await client.close();
  return client.position;
}

const verdict = ({ recovered, reason, replayed }) => [recovered, reason, replayed];

async function say(speaker, ...texts) {
  for (const text of texts) speaker.say(text);
  await speaker.has(texts.at(-1));
}

scenario('who comes back, to any replica, gets what it missed, once and in order', async (world) => {
  const replicas = await world.cluster(...NAMES, keeping(world));
  const [alpha, beta, gamma] = replicas;
  const ann = await enter(world, alpha, 'lobby');
  assert.deepEqual(verdict(await ann.joined()), [false, 'none', 0]);
  let ben = await enter(world, beta, 'lobby');
  await say(ann, 'one', 'two');
  await ben.has('two');
  assert.ok(ben.messages.every((frame) => frame.position && !frame.replayed));
  const first = await leave(ben);
  await say(ann, 'three', 'four');
  const missed = ['three', 'four'];
  for (const replica of [gamma, beta, alpha]) {
    ben = await enter(world, replica, 'lobby', { position: first });
    assert.deepEqual(verdict(await ben.joined()), [true, 'whole', missed.length]);
    await ben.has(missed.at(-1));
    assert.ok(ben.messages.every((frame) => frame.replayed === true));
    const live = `live on ${replica.name}`;
    await say(ann, live);
    assert.equal((await ben.has(live)).replayed, undefined);
    missed.push(live);
    assert.deepEqual(ben.texts, missed);
    const position = await leave(ben);
    ben = await enter(world, alpha, 'lobby', { position });
    assert.deepEqual(verdict(await ben.joined()), [true, 'whole', 0]);
    await leave(ben);
  }
});

scenario('a new client begins with the last messages', async (world) => {
  const [alpha, beta] = await world.cluster('alpha', 'beta', keeping(world));
  const ann = await enter(world, alpha, 'lobby');
  await say(ann, ...Array.from({ length: 60 }, (_, i) => `line ${i}`));
  for (const replica of [alpha, beta]) {
    const ben = await enter(world, replica, 'lobby', { rewind: 50 });
    assert.deepEqual(verdict(await ben.joined()), [false, 'none', 50]);
    await ben.has('line 59');
    assert.deepEqual(ben.texts, Array.from({ length: 50 }, (_, i) => `line ${i + 10}`));
    await leave(ben);
  }
});

scenario('a position that is of no use is told, and what rewind asks for comes all the same', async (world) => {
  const [alpha, beta] = await world.cluster('alpha', 'beta', keeping(world));
  const ann = await enter(world, alpha, 'lobby');
  await say(ann, 'one');
  const elsewhere = await enter(world, beta, 'kitchen');
  await say(elsewhere, 'tea?');
  const foreign = await world.replica({ name: 'foreign',
    args: ['--history', '60', '--history-key', keyFile(world, 'of quite another cluster')] });
  const stranger = await enter(world, foreign, 'lobby');
  for (const position of ['nonsense', elsewhere.position, stranger.position, `${ann.position} x`,
    ann.position.slice(0, -1), 'A'.repeat(2559), 'é']) {
    const ben = await enter(world, beta, 'lobby', { position, rewind: 50 });
    assert.deepEqual(verdict(await ben.joined()), [false, 'position', 1], position);
    await ben.has('one');
    assert.deepEqual(ben.texts, ['one']);
    await leave(ben);
  }
  for (const more of [{ position: 'A'.repeat(2560) }, { rewind: 501 }, { rewind: '-1' }, { rewind: '' }]) {
    const ben = new Returner(world, beta, 'lobby', more);
    assert.equal((await ben.close()).code, 1008, JSON.stringify(more));
  }
  for (const wrong of ['position=a&position=b', 'position=%00', `position=${ann.position}%00a`]) {
    const ben = new Client(world, `${beta.address('lobby', 'ben')}&${wrong}`);
    assert.match((await ben.close()).reason, /the position is too long, not %-encoded text, or there twice/, wrong);
  }
});

scenario('what is older than what is kept makes it old; marks of typing are not kept', async (world) => {
  const alpha = await world.replica({ name: 'alpha', ...keeping(world) });
  const ann = await enter(world, alpha, 'lobby');
  const ben = await enter(world, alpha, 'lobby');
  await say(ann, 'one');
  await ben.has('one');
  const position = await leave(ben);
  ann.say('\0typing');
  await say(ann, ...Array.from({ length: 256 }, (_, i) => `line ${i}`));
  let back = await enter(world, alpha, 'lobby', { position });
  assert.deepEqual(verdict(await back.joined()), [true, 'whole', 256]);
  await back.has('line 255');
  assert.equal(back.of('typing').length, 0);
  await leave(back);
  await say(ann, 'one more');
  back = await enter(world, alpha, 'lobby', { position, rewind: 2 });
  assert.deepEqual(verdict(await back.joined()), [false, 'old', 2]);
  await back.has('one more');
  assert.deepEqual(back.texts, ['line 255', 'one more']);
});

scenario('without --history there is no position, and one that is brought is of no use', async (world) => {
  const alpha = await world.replica({ name: 'alpha' });
  const ann = await enter(world, alpha, 'lobby');
  assert.deepEqual(await ann.joined(), { type: 'joined', session: ann.of('welcome')[0].session });
  const ben = await enter(world, alpha, 'lobby', { position: 'nonsense', rewind: 50 });
  assert.deepEqual(verdict(await ben.joined()), [false, 'off', 0]);
  await say(ann, 'one');
  await ben.has('one');
  for (const client of [ann, ben])
    assert.ok(client.messages.every((frame) => !('position' in frame) && !('replayed' in frame)));
});

scenario('what programs publish has a position too', async (world) => {
  const token = keyFile(world, 'token');
  const alpha = await world.replica({ name: 'alpha', ...keeping(world, '--publish-token', token) });
  const ann = await enter(world, alpha, 'lobby');
  const answer = await fetch(new URL('publish', alpha.page), { method: 'POST',
    headers: { authorization: 'Bearer token' }, body: JSON.stringify({ chat: 'lobby', text: 'by program' }) });
  assert.equal(answer.status, 200);
  const { position } = await ann.has('by program');
  const ben = await enter(world, alpha, 'lobby', { position });
  assert.deepEqual(verdict(await ben.joined()), [true, 'whole', 0]);
});

scenario('a client that is sent to the owner of its chat brings its position along', async (world) => {
  const replicas = [];
  for (const name of ['alpha', 'beta']) {
    const address = `127.0.0.1:${await freePort()}`;
    replicas.push(await world.replica({ name, listen: address, joins: replicas.map((r) => r.mesh),
      ...keeping(world, '--placement', 'redirect', '--public', address) }));
  }
  await meshed(replicas);
  const ann = await enter(world, replicas[0], 'lobby', {}, { followRedirects: true });
  const ben = await enter(world, replicas[1], 'lobby', {}, { followRedirects: true });
  await say(ann, 'one');
  await ben.has('one');
  const position = await leave(ben);
  await say(ann, 'two');
  for (const replica of replicas) {
    const back = await enter(world, replica, 'lobby', { position }, { followRedirects: true });
    assert.deepEqual(verdict(await back.joined()), [true, 'whole', 1]);
    assert.equal(back.of('welcome')[0].node, ann.of('welcome')[0].node);
  }
});

scenario('--history wants a key that is one', async (world) => {
  for (const [args, told, status] of [
    [['--history', '60'], /--history needs --history-key: a secret that all replicas share/, 2],
    [['--history', '3601'], /--history 3601: it must be a number of seconds from 0 to 3600/, 2],
    [['--history', '60', '--history-key', '/nowhere'], /--history-key \/nowhere: there is no token/, 1],
    [['--history', '60', '--history-key', keyFile(world, 'short')], /must be of 16 to 64 bytes/, 1],
  ]) {
    const child = world.run(binary, ['--listen', '127.0.0.1:0', ...args]);
    const { code } = await until('it ends', () => child.exit);
    assert.match(child.stderr, told);
    assert.equal(code, status);
  }
});
