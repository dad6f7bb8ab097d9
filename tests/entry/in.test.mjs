// Messages from NATS into chats, to users and to everyone: what gets in, what is answered, and what is refused.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { askWith, Client, client, ends, entry, natsServer, newHeaders, program, scenario, start, status, token, until } from './entry.mjs';

async function world_of(world, ...args) {
  const nats = await natsServer(world);
  const [alpha, beta] = await world.cluster('alpha', 'beta');
  const door = await entry(world, nats, alpha, 'door', ...args);
  const service = await client(world, nats);
  await until('the door has met both', async () => (await status(service, 'door')).peers === 2);
  return { nats, alpha, beta, door, service };
}

const texts = (frames) => frames.messages.map((message) => message.text);

scenario('a chat, a user and everyone get it on every replica, and the answer tells', async (world) => {
  const { alpha, beta, door, service } = await world_of(world);
  const anna = await Client.join(world, alpha, 'lobby', 'anna');
  const ben = await Client.join(world, beta, 'lobby', 'ben');
  const carl = await Client.join(world, beta, 'other', 'carl');
  const { id, ...rest } = await service.ask('wsfan.wsfan.in.chat.lobby', 'to the chat');
  assert.deepEqual(rest, { complete: true,
    replicas: { addressed: 2, acknowledged: 2, behind: 0, lost: 0, refusing: 0 } });
  for (const member of [anna, ben])
    assert.equal((await member.frame((frame) => frame.text === 'to the chat')).id, id);
  assert.equal((await service.ask('wsfan.wsfan.in.user.ben', 'to ben')).complete, true);
  await ben.frame((frame) => frame.text === 'to ben');
  assert.equal((await service.ask('wsfan.wsfan.in.all', 'to all')).complete, true);
  service.publish('wsfan.wsfan.in.chat.lobby', 'and no answer');
  await carl.frame((frame) => frame.text === 'to all');
  await ben.frame((frame) => frame.text === 'and no answer');
  await anna.frame((frame) => frame.text === 'and no answer');
  assert.deepEqual(texts(anna), ['to the chat', 'to all', 'and no answer']);
  assert.deepEqual(texts(ben), ['to the chat', 'to ben', 'to all', 'and no answer']);
  assert.deepEqual(texts(carl), ['to all']);
  await ends(door);
});

scenario('names of any bytes are tokens, and a name has only one', async (world) => {
  const { alpha, door, service } = await world_of(world);
  for (const name of ['a.b *>', 'größe', '=', 'x'.repeat(128)]) {
    const member = await Client.join(world, alpha, name, 'anna');
    assert.equal((await service.ask(`wsfan.wsfan.in.chat.${token(name)}`, name)).complete, true);
    await member.frame((frame) => frame.text === name);
  }
  for (const rest of ['chat.=bG9iYnk', 'chat.=', 'chat.=YQ', 'chat.=YQ==', 'chat.=Yg1', 'chat.=+w', 'chat.gr%C3%B6',
    `chat.${'x'.repeat(201)}`, `chat.=${'eHh4'.repeat(90)}`, 'chat', 'chat.a.b', 'user', 'all.x', 'room.lobby', 'x'])
    assert.equal((await service.ask(`wsfan.wsfan.in.${rest}`, 'x')).code, 'subject', rest);
  await ends(door);
});

scenario('headers: binary, except, key and idempotency', async (world) => {
  const { alpha, beta, door, service } = await world_of(world);
  const lobby = 'wsfan.wsfan.in.chat.lobby';
  const anna = await Client.join(world, alpha, 'lobby', 'anna');
  const ben = await Client.join(world, beta, 'lobby', 'ben');
  assert.equal((await service.ask(lobby, 'not anna', { 'Wsfan-Except': anna.session })).complete, true);
  assert.deepEqual(await service.ask(lobby, 'latest', { 'Wsfan-Key': 'cursor' }), { accepted: true });
  const first = await service.ask(lobby, 'once', { 'Nats-Msg-Id': 'order-17' });
  assert.equal(first.complete, true);
  assert.deepEqual(await service.ask(lobby, 'once', { 'Nats-Msg-Id': 'order-17' }), first);
  assert.equal((await service.ask(lobby, 'twice', { 'Nats-Msg-Id': 'order-17' })).code, 'reused');
  assert.equal((await service.ask('wsfan.wsfan.in.all', 'once', { 'Nats-Msg-Id': 'order-17' })).code, 'reused');
  for (let i = 0; i < 1024; i++) service.publish('wsfan.wsfan.in.chat.nobody', 'x', { headers: withId(`n${i}`) });
  assert.notEqual((await service.ask(lobby, 'once', { 'Nats-Msg-Id': 'order-17' })).id, first.id); // forgotten
  await service.ask(lobby, 'end');
  for (const member of [anna, ben]) await member.frame((frame) => frame.text === 'end');
  assert.deepEqual(texts(anna), ['latest', 'once', 'once', 'end']);
  assert.deepEqual(texts(ben), ['not anna', 'latest', 'once', 'once', 'end']);
  assert.equal((await status(service, 'door')).repeated, 1);
  await ends(door);
});

function withId(id) {
  const headers = newHeaders();
  headers.set('Nats-Msg-Id', id);
  return headers;
}

scenario('what is wrong is refused with a code, and nothing is published', async (world) => {
  const { alpha, door, service } = await world_of(world);
  const lobby = 'wsfan.wsfan.in.chat.lobby';
  const anna = await Client.join(world, alpha, 'lobby', 'anna');
  const invalid = Uint8Array.of(0xff, 0xfe);
  assert.equal((await service.ask(lobby, invalid)).code, 'text');
  assert.equal((await service.ask(lobby, invalid, { 'Wsfan-Binary': 'yes' })).code, 'header');
  assert.equal((await service.ask(lobby, 'x', { 'Wsfan-Nonsense': '1' })).code, 'header');
  assert.equal((await service.ask(lobby, 'x', { 'Wsfan-Except': 'anna' })).code, 'header');
  assert.equal((await service.ask(lobby, 'x', { 'Wsfan-Key': 'k'.repeat(257) })).code, 'header');
  assert.equal((await service.ask(lobby, 'x', { 'Nats-Msg-Id': 'i'.repeat(129) })).code, 'id');
  assert.equal((await service.ask(lobby, 'x', { 'Nats-Msg-Id': 'a b' })).code, 'id');
  const twice = withId('a');
  twice.append('Nats-Msg-Id', 'b');
  const reply = await service.request(lobby, 'x', { timeout: 5000, headers: twice });
  assert.equal(JSON.parse(reply.string()).code, 'id');
  assert.equal((await service.ask(lobby, 'x', { Traceparent: '00-1-2-03' })).complete, true); // not ours
  await anna.frame((frame) => frame.text === 'x');
  assert.deepEqual(texts(anna), ['x']);
  for (const reply of ['wsfan.wsfan.in.all', 'wsfan.wsfan.out.chat.lobby', '$JS.API.INFO'])
    service.publish(lobby, 'reflected', { reply });
  await until('they are counted', async () => (await status(service, 'door')).unanswerable === 3);
  await service.ask(lobby, 'z');
  await anna.frame((frame) => frame.text === 'z');
  assert.deepEqual(texts(anna), ['x', 'z']);
  const { refused, published } = await status(service, 'door');
  assert.equal(refused, 11);
  assert.equal(published, 2);
  await ends(door);
});

scenario('headers that cannot be read are refused, not left out', async (world) => {
  const { nats, alpha, door } = await world_of(world);
  const anna = await Client.join(world, alpha, 'lobby', 'anna');
  const except = `Wsfan-Except: ${anna.session}\r\n`;
  const lobby = 'wsfan.wsfan.in.chat.lobby';
  const many = 'X: y\r\n'.repeat(64);
  for (const headers of [`NATS/1.0\r\nX:\r\n${except}\r\n`, `NATS/1.0\r\nX: \r\nnats-msg-id: 1\r\n\r\n`, `NATS/1.0\r\n${many}${except}\r\n`,
    `NATS/1.0\r\n${except}no header\r\n\r\n`, `HTTP/1.1\r\n${except}\r\n`, `NATS/1.0\r\n ${except}\r\n`])
    assert.equal((await askWith(nats, lobby, headers, 'not anna')).code, 'header', JSON.stringify(headers));
  assert.equal((await askWith(nats, lobby, `NATS/1.0\r\n${except}\r\n`, 'not anna')).complete, true);
  assert.equal((await askWith(nats, lobby, 'NATS/1.0\r\n\r\n', 'anna')).complete, true);
  await anna.frame((frame) => frame.text === 'anna');
  assert.deepEqual(texts(anna), ['anna']);
  await ends(door);
});

scenario('without a replica it takes nothing, and leaves it to other entries', async (world) => {
  const nats = await natsServer(world);
  const alpha = await world.replica({ name: 'alpha' });
  const door = await entry(world, nats, alpha, 'door');
  const service = await client(world, nats);
  await alpha.kill('SIGTERM');
  await until('nobody takes it', () => service.ask('wsfan.wsfan.in.chat.lobby', 'x').then(() => false, (error) => error.code === '503'));
  assert.equal((await status(service, 'door')).ready, false);
  const check = start(world, '--check', '--nats', nats.url, '--name', 'door');
  await check.exited;
  assert.equal(check.exit.code, 1);
  await ends(door);
});

scenario('--check tells whether an entry is ready', async (world) => {
  const { nats, door } = await world_of(world);
  const check = start(world, '--check', '--nats', nats.url, '--name', 'door');
  await check.exited;
  assert.equal(check.exit.code, 0, check.story());
  assert.equal(JSON.parse(check.stdout).ready, true);
  const nobody = start(world, '--check', '--nats', nats.url, '--name', 'window');
  await nobody.exited;
  assert.equal(nobody.exit.code, 1);
  assert.match(nobody.stderr, /no entry of this name/);
  await ends(door);
});

scenario('metrics are told by NATS', async (world) => {
  const { door, service } = await world_of(world);
  await service.ask('wsfan.wsfan.in.all', 'x');
  const reply = await service.request('wsfan.wsfan.entry.status.door', 'metrics', { timeout: 5000 });
  assert.match(reply.string(), /^wsfan_entry_published_total 1$/m);
  assert.match(reply.string(), /^wsfan_entry_refused_total\{code="busy"\} 0$/m);
  assert.match(reply.string(), /^wsfan_published_messages_total 1$/m);
  await ends(door);
});

scenario('the mesh may be over NATS, too', async (world) => {
  const nats = await natsServer(world);
  const alpha = await world.replica({ name: 'alpha', mesh: null, args: ['--nats', nats.url] });
  const door = start(world, '--nats', nats.url, '--over-nats', '--name', 'door', '--taps', '2');
  await door.printed(/^ready: /m);
  const service = await client(world, nats);
  const anna = await Client.join(world, alpha, 'lobby', 'anna');
  const heard = service.hear('wsfan.wsfan.out.>');
  assert.equal((await service.ask('wsfan.wsfan.tap.chat.lobby', '', { timeout: 20000 })).complete, true);
  assert.equal((await service.ask('wsfan.wsfan.in.chat.lobby', 'hello')).complete, true);
  await anna.frame((frame) => frame.text === 'hello');
  await until('it comes out', () => heard.length === 1);
  await ends(door);
});

scenario('another cluster and another prefix are other subjects', async (world) => {
  const nats = await natsServer(world);
  const alpha = await world.replica({ name: 'alpha' });
  const door = start(world, '--nats', nats.url, '--join', alpha.mesh, '--name', 'door', '--cluster', 'große',
    '--prefix', 'a.b');
  const service = await client(world, nats);
  const told = await until('it is connected', () => service.ask(`a.b.${token('große')}.entry.status.door`).catch(() => null));
  assert.equal(told.ready, false); // the replica is of another cluster
  await ends(door);
});

test('bad arguments are told', () => {
  const run = (...args) => spawnSync(program, args, { encoding: 'utf8' });
  for (const args of [[], ['--nats', 'nats://x'], ['--nats'], ['--nope'], ['--nats', 'x', '--join', 'x', 'more'],
    ['--nats', 'x', '--over-nats', '--join', 'tcp://h:1'], ['--nats', 'x', '--over-nats', '--taps', '1025'],
    ['--nats', 'x', '--check'], ['--nats', 'x', '--join', 'tcp://h:1', '--prefix', 'a..b'],
    ['--nats', 'nats://127.0.0.1:1', '--join', 'nonsense']]) {
    const { status: code, stderr } = run(...args);
    assert.equal(code, 2, `${args}: ${stderr}`);
    assert.match(stderr, /^wsfan-entry: /);
  }
  assert.equal(run('--help').status, 0);
});
