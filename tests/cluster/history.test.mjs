// --history: who comes back, to any replica, gets what it missed, or is told that it may have missed something.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from './client.mjs';
import { binary, freePort, meshed, scenario, until } from './replica.mjs';

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

  // Of its join and what was replayed then, and of the newest message.
  get position() {
    const last = (frames) => frames.map((frame) => frame.position).filter(Boolean).at(-1);
    const own = this.frames.filter((frame) => frame.type === 'joined' || frame.replayed);
    const live = this.messages.filter((frame) => !frame.replayed);
    return [last(own), last(live)].filter(Boolean).join(' ');
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
  const twice = new Client(world, `${beta.address('lobby', 'ben')}&position=a&position=b`);
  assert.match((await twice.close()).reason, /the position is too long, not %-encoded, or there twice/);
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

const running = (replicas) => replicas.filter((replica) => !replica.exit && !replica.ending);

// A client that comes back by itself, as a page does, and keeps all that it was told.
class Resident {
  lives = [];
  texts = [];
  verdicts = [];

  constructor(world, replicas, chat, first) {
    Object.assign(this, { world, replicas, chat, turn: first });
    this.ended = false;
    this.open();
  }

  open(position) {
    const here = running(this.replicas);
    const client = new Returner(this.world, here[this.turn++ % here.length], this.chat,
      position && { position });
    this.client = client;
    client.socket.on('message', (data) => {
      const frame = JSON.parse(data.toString());
      if (frame.type === 'message') this.texts.push(frame.text);
      if (frame.type === 'joined') this.verdicts.push(frame.reason);
    });
    client.socket.on('close', () => {
      if (!this.ended) setTimeout(() => this.open(client.position || position), 20);
    });
  }

  get isIn() {
    return this.client.of('joined').length > 0 && !this.client.closed;
  }
}

// Residents of five rooms on three replicas, of whom one of each room, on the first two replicas, says something again and again.
async function residents(world, replicas, count) {
  const all = Array.from({ length: count }, (_, i) => new Resident(world, replicas, `room ${i % 5}`, i));
  let said = 0;
  const timer = setInterval(() => {
    for (const resident of [0, 1, 7, 3, 4].map((i) => all[i]))
      if (resident.isIn) resident.client.say(`${resident.chat}: ${++said}`);
  }, 50);
  world.closing(() => {
    clearInterval(timer);
    for (const resident of all) resident.ended = true;
  });
  // Who knows a chat for two heartbeats knows how far it got with everybody.
  await until('all are in, and much was said', () => all.every((resident) => resident.isIn) && said > 200);
  return { all, quiet: () => clearInterval(timer), said: () => said };
}

// Everybody in a chat has all that anybody in it has, once.
async function sameForAll({ all }) {
  for (const chat of new Set(all.map((resident) => resident.chat))) {
    const here = all.filter((resident) => resident.chat === chat);
    const whole = new Set(here.flatMap((resident) => resident.texts));
    const lacking = () => here.map(({ texts, verdicts }) =>
      ({ missing: [...whole].filter((text) => !texts.includes(text)), verdicts }))
      .filter(({ missing }) => missing.length > 0);
    await until(`all in ${chat} have all`, () => lacking().length === 0)
      .catch(() => assert.deepEqual(lacking(), []));
    for (const { texts } of here) assert.equal(new Set(texts).size, texts.length, 'none is there twice');
  }
}

// Three who are each alone in a chat, for which other programs publish, by whichever replica takes it: so only nodes without a
// session in it have what comes while they are away.
async function hermits(world, replicas) {
  const all = [0, 1, 2].map((i) => new Resident(world, replicas, `cell ${i}`, i));
  let quiet = false;
  const accepted = new Map(all.map((hermit) => [hermit, []]));
  await until('they are in', () => all.every((hermit) => hermit.isIn));
  const publish = async () => {
    for (let i = 0; !quiet; i++) {
      const [hermit, text] = [all[i % all.length], `news ${i}`];
      const taken = await fetch(new URL('publish', running(replicas)[0].page), { method: 'POST',
        headers: { authorization: 'Bearer token' }, body: JSON.stringify({ chat: hermit.chat, text }) })
        .then((answer) => answer.status === 200, () => false);
      if (taken) accepted.get(hermit).push(text);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  };
  const published = publish();
  world.closing(() => {
    quiet = true;
    for (const hermit of all) hermit.ended = true;
    return published;
  });
  const more = async (count) => {
    const before = new Map([...accepted].map(([hermit, texts]) => [hermit, texts.length]));
    await until('each has got more', () => [...accepted].every(([hermit, texts]) =>
      texts.length >= before.get(hermit) + count && hermit.texts.length >= before.get(hermit) + count));
  };
  return { all, accepted, more, quiet: () => { quiet = true; return published; } };
}

scenario('a rolling restart of three replicas: everybody recovers, and nothing is missing', async (world) => {
  const options = keeping(world, '--drain', '1', '--publish-token', keyFile(world, 'token'));
  const replicas = await world.cluster(...NAMES, options);
  const alone = await hermits(world, replicas);
  await alone.more(3);
  const crowd = await residents(world, replicas, 30);
  for (const name of NAMES) {
    const old = replicas.find((replica) => replica.name === name);
    old.ending = true;
    old.process.kill('SIGTERM');
    await until(`${name} has ended`, () => old.exit);
    replicas.splice(replicas.indexOf(old), 1);
    replicas.push(await world.replica({ name, joins: [replicas[0].mesh], ...options }));
    await meshed(replicas);
    await until('all are in again', () =>
      [...crowd.all, ...alone.all].every((resident) => resident.isIn));
    await alone.more(3); // the new replica has taken over by then what it is to hold
  }
  crowd.quiet();
  await alone.quiet();
  const everybody = [...crowd.all, ...alone.all];
  assert.ok(everybody.every(({ verdicts }) => verdicts.length > 1), 'everybody had to go');
  assert.deepEqual(everybody.map(({ chat, verdicts }) => ({ chat, verdicts: verdicts.slice(1) }))
    .filter(({ verdicts }) => verdicts.some((verdict) => verdict !== 'whole')), []);
  await sameForAll(crowd);
  for (const [{ chat, texts }, accepted] of alone.accepted) {
    await until(`all in ${chat} is there`, () => accepted.every((text) => texts.includes(text)));
    assert.equal(new Set(texts).size, texts.length);
    assert.ok(accepted.length > 10);
  }
});

scenario('kill -9 of a replica: its clients recover elsewhere', async (world) => {
  const replicas = await world.cluster(...NAMES, keeping(world, '--down', '4'));
  const crowd = await residents(world, replicas, 30);
  const victim = replicas[2]; // on which nobody speaks: what had not left it would die with it
  victim.ending = true;
  await victim.kill('SIGKILL');
  await until('all are in again', () => crowd.all.every((resident) => resident.isIn));
  crowd.quiet();
  for (const { verdicts } of crowd.all)
    assert.deepEqual(new Set(verdicts.slice(1)), new Set(verdicts.length > 1 ? ['whole'] : []));
  assert.ok(crowd.all.some(({ verdicts }) => verdicts.length > 1));
  await sameForAll(crowd);
});

scenario('when all replicas were restarted at once, everybody is told', async (world) => {
  const options = keeping(world);
  let replicas = await world.cluster('alpha', 'beta', options);
  const ann = await enter(world, replicas[0], 'lobby');
  await say(ann, 'one');
  const position = await leave(ann);
  await Promise.all(replicas.map((replica) => replica.kill('SIGKILL')));
  replicas = await world.cluster('alpha', 'beta', options);
  const back = await enter(world, replicas[1], 'lobby', { position, rewind: 50 });
  assert.deepEqual(verdict(await back.joined()), [false, 'epoch', 0]);
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
