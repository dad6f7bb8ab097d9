// Messages of chats out to NATS: leases, several entries, and what becomes of it when one of them goes.

import assert from 'node:assert/strict';
import { Client, client, directory, ends, entry, natsServer, scenario, status, token, until } from './entry.mjs';

const OUT = 'wsfan.wsfan.out.chat.lobby';

async function world_of(world, ...doors) {
  const nats = await natsServer(world, { args: ['-js', '-sd', directory(world)] });
  const [alpha, beta] = await world.cluster('alpha', 'beta');
  const entries = [];
  for (const name of doors) entries.push(await entry(world, nats, alpha, name, '--taps', '8'));
  const service = await client(world, nats);
  return { nats, alpha, beta, entries, service };
}

const tap = (service, chat, ms = 60000) =>
  service.ask(`wsfan.wsfan.tap.chat.${token(chat)}`, JSON.stringify({ ms }), { timeout: 20000 });

const ids = (heard) => heard.map((message) => message.id);
const once = (heard) => new Set(ids(heard)).size === heard.length;

scenario('a tapped chat comes out, each message once, with its id', async (world) => {
  const { alpha, beta, entries, service } = await world_of(world, 'door');
  const heard = service.hear('wsfan.wsfan.out.>');
  assert.deepEqual(await tap(service, 'lobby'), { subject: OUT, ms: 60000, complete: true });
  assert.deepEqual(await tap(service, 'größe', 5000),
    { subject: `wsfan.wsfan.out.chat.${token('größe')}`, ms: 5000, complete: true });
  const anna = await Client.join(world, alpha, 'lobby', 'anna');
  const ben = await Client.join(world, beta, 'größe', 'ben');
  const carl = await Client.join(world, beta, 'other', 'carl');
  anna.say('of anna');
  ben.say('of ben');
  carl.say('of carl');
  await service.ask('wsfan.wsfan.in.all', 'to all');
  const { id } = await service.ask('wsfan.wsfan.in.chat.lobby', 'came in');
  await tap(service, 'bytes');
  await service.ask('wsfan.wsfan.in.chat.bytes', Uint8Array.of(0xff), { 'Wsfan-Binary': 'true' });
  await until('all are heard', () => heard.length >= 4);
  assert.equal(heard.length, 4);
  const lobby = heard.filter((message) => message.subject === OUT);
  assert.equal(JSON.parse(lobby[0].text).text, 'of anna');
  assert.deepEqual([lobby[1].text, lobby[1].binary], ['came in', false]);
  assert.equal(lobby[1].id, id); // what came in goes out, and not in again
  assert.deepEqual(heard.filter(({ binary }) => binary).map(({ text }) => text), ['\ufffd']);
  assert.ok(once(heard));
  await ends(entries[0]);
});

scenario('a lease runs out, and the chat is left; several leases are one tap', async (world) => {
  const { alpha, entries, service } = await world_of(world, 'door');
  const heard = service.hear(OUT);
  await Promise.all([tap(service, 'lobby', 1000), tap(service, 'lobby', 1500), tap(service, 'lobby', 1000)]);
  const anna = await Client.join(world, alpha, 'lobby', 'anna');
  anna.say('one');
  await until('it is heard', () => heard.length === 1);
  await until('the tap has ended', async () => (await status(service, 'door')).taps === 0);
  anna.say('two');
  await anna.frame((frame) => frame.text === 'two');
  await tap(service, 'lobby');
  anna.say('three');
  await until('it is heard again', () => heard.length === 2);
  assert.deepEqual(heard.map(({ text }) => JSON.parse(text).text), ['one', 'three']);
  await ends(entries[0]);
});

scenario('what is no lease is refused, and so is one chat too many', async (world) => {
  const { entries, service } = await world_of(world, 'door');
  for (const [rest, data, code] of [['chat.lobby', '{"ms":999}', 'lease'], ['chat.lobby', '{"ms":3600001}', 'lease'],
    ['chat.lobby', '60000', 'lease'], ['chat.lobby', '{"ms":1000,"x":1}', 'lease'], ['chat.lobby', `{"ms":${'9'.repeat(90)}}`, 'lease'],
    ['chat.lobby', ' '.repeat(300), 'size'], ['user.ann', '', 'subject'], ['all', '', 'subject'], ['chat.=bG9iYnk', '', 'subject']])
    assert.equal((await service.ask(`wsfan.wsfan.tap.${rest}`, data)).code, code, rest + data);
  assert.equal((await service.ask('wsfan.wsfan.tap.chat.c0', ' { "ms" : 2000 } ')).ms, 2000);
  for (let i = 1; i < 8; i++) assert.equal((await tap(service, `c${i}`, 3000)).complete, true);
  assert.equal((await tap(service, 'c8')).code, 'taps');
  await ends(entries[0]);
});

scenario('without --taps nobody answers', async (world) => {
  const nats = await natsServer(world);
  const alpha = await world.replica({ name: 'alpha' });
  const door = await entry(world, nats, alpha, 'door');
  const service = await client(world, nats);
  await assert.rejects(tap(service, 'lobby'), { code: '503' });
  await ends(door);
});

// Says one number after another until it is told to stop.
function chatter(client) {
  let count = 0;
  const timer = setInterval(() => client.say(`${count++}`), 2);
  return () => { clearInterval(timer); return count; };
}

const numbers = (heard) => heard.map(({ text }) => Number(JSON.parse(text).text));

// Every number was heard, and each id of them is one message.
function whole(heard, count) {
  const texts = new Map();
  for (const { id, text } of heard) {
    assert.ok(!texts.has(id) || texts.get(id) === text);
    texts.set(id, text);
  }
  assert.deepEqual([...new Set(numbers(heard))].sort((a, b) => a - b), [...Array(count).keys()]);
  assert.equal(texts.size, count);
}

scenario('two entries do not double; one that is killed is replaced, and nothing is missing', async (world) => {
  const { nats, alpha, beta, entries, service } = await world_of(world, 'one', 'two');
  const heard = service.hear(OUT);
  const gaps = service.hear('wsfan.wsfan.out.gap');
  const archive = await service.jetstreamManager(); // it knows ids, too
  await archive.streams.add({ name: 'archive', subjects: ['wsfan.wsfan.out.chat.>'], storage: 'memory' });
  assert.equal((await tap(service, 'lobby')).complete, true);
  await until('both know', async () => (await status(service, 'two')).taps === 1);
  assert.equal((await status(service, 'one')).leads, true); // the oldest
  const anna = await Client.join(world, beta, 'lobby', 'anna');
  let stop = chatter(anna);
  await until('some were heard', () => heard.length >= 200);
  assert.ok(once(heard));
  entries[0].process.kill('SIGKILL');
  await until('the other one leads', async () => (await status(service, 'two')).leads);
  const before = heard.length;
  await until('more were heard', () => heard.length >= before + 200);
  const three = await entry(world, nats, alpha, 'three', '--taps', '8');
  await tap(service, 'lobby');
  await until('it knows, too', async () => (await status(service, 'three')).taps === 1);
  entries[1].process.kill('SIGTERM');
  await until('the third leads', async () => (await status(service, 'three')).leads);
  const again = heard.length;
  await until('more were heard', () => heard.length >= again + 200);
  const count = stop();
  await until('all were heard', () => new Set(numbers(heard)).size === count);
  whole(heard, count);
  assert.deepEqual(gaps, []);
  assert.ok(!once(heard)); // what the next one had kept came again
  await until('the archive has each once', async () => (await archive.streams.info('archive')).state.messages === count);
  await until('the second has ended', () => entries[1].exit);
  assert.equal(entries[1].exit.code, 0);
  await ends(three);
});

scenario('an entry that is frozen is replaced, and steps in again; nothing is missing', async (world) => {
  const { beta, entries, service } = await world_of(world, 'one', 'two');
  const heard = service.hear(OUT);
  await tap(service, 'lobby');
  await until('both know', async () => (await status(service, 'two')).taps === 1);
  const anna = await Client.join(world, beta, 'lobby', 'anna');
  const stop = chatter(anna);
  await until('some were heard', () => heard.length >= 100);
  entries[0].process.kill('SIGSTOP');
  await until('the other one leads', async () => (await status(service, 'two')).leads);
  const before = heard.length;
  await until('more were heard', () => heard.length >= before + 100);
  entries[0].process.kill('SIGCONT');
  await until('the first leads again', async () => {
    const [one, two] = await Promise.all([status(service, 'one'), status(service, 'two')]);
    return one.leads && !two.leads;
  });
  const again = heard.length;
  await until('more were heard', () => heard.length >= again + 100);
  const count = stop();
  await until('all were heard', () => new Set(numbers(heard)).size === count);
  whole(heard, count);
  for (const one of entries) await ends(one);
});

scenario('an entry that stands by, and is frozen, does not take over when it goes on', async (world) => {
  const { beta, entries, service } = await world_of(world, 'one', 'two');
  const heard = service.hear(OUT);
  await tap(service, 'lobby');
  await until('both know', async () => (await status(service, 'two')).taps === 1);
  const anna = await Client.join(world, beta, 'lobby', 'anna');
  const stop = chatter(anna);
  await until('some were heard', () => heard.length >= 100);
  entries[1].process.kill('SIGSTOP');
  await until('it is missed', () => /peer\.silent two/.test(entries[0].stderr));
  entries[1].process.kill('SIGCONT');
  const two = await until('it is back', () => status(service, 'two').catch(() => null));
  const again = heard.length;
  await until('more were heard', () => heard.length >= again + 100);
  const count = stop();
  await until('all were heard', () => heard.length === count);
  assert.ok(once(heard));
  assert.equal(two.leads, false);
  assert.equal((await status(service, 'two')).out, 0);
  for (const one of entries) await ends(one);
});

scenario('a server of NATS that is killed and started again costs no message of a tap', async (world) => {
  const { nats, beta, entries, service } = await world_of(world, 'one', 'two');
  const heard = service.hear(OUT);
  await tap(service, 'lobby');
  await until('both know', async () => (await status(service, 'two')).taps === 1);
  const anna = await Client.join(world, beta, 'lobby', 'anna');
  const stop = chatter(anna);
  await until('some were heard', () => heard.length >= 100);
  await nats.kill('SIGKILL');
  await anna.frame((frame) => frame.text === `${heard.length + 300}`); // time passes
  await natsServer(world, { port: nats.port });
  const before = heard.length;
  await until('more were heard', () => heard.length >= before + 400);
  const count = stop();
  await until('all were heard', () => new Set(numbers(heard)).size === count);
  whole(heard, count);
  for (const one of entries) await ends(one);
});
