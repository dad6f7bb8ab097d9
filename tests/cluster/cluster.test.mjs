// Three real processes, of which only the first is named to the others.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { Client } from './client.mjs';
import { freePort, meshed, overNats, scenario, SOON, until } from './replica.mjs';

const ids = (client) => client.messages.map((message) => message.id);
const texts = (client) => client.messages.map((message) => message.text).sort();

scenario('joining one replica meshes all three', async (world) => {
  const replicas = await world.cluster('alpha', 'beta', 'gamma');
  for (const replica of replicas) {
    const stats = await replica.stats();
    assert.equal(stats.peers_up, 2);
    for (const peer of stats.peers) {
      assert.equal(peer.endpoint, replicas.find(({ name }) => name === peer.name).mesh);
      assert.equal(peer.gap_in + peer.gap_out, 0);
    }
  }
});

// A port of another machine, as a container's host or a NAT maps it.
async function mapPort(world, to) {
  const mapped = { connections: 0 };
  const server = net.createServer((socket) => {
    const inner = net.connect(to, '127.0.0.1');
    mapped.connections++;
    for (const [one, other] of [[socket, inner], [inner, socket]]) {
      one.on('error', () => {}).on('close', () => other.destroy());
      one.pipe(other);
    }
    world.closing(() => socket.destroy());
  }).listen(0, '127.0.0.1');
  world.closing(() => server.close());
  await once(server, 'listening');
  return Object.assign(mapped, { endpoint: `tcp://127.0.0.1:${server.address().port}` });
}

scenario('a replica behind a mapped port is met where --advertise says', async (world) => {
  if (overNats) return; // nobody has a port
  const alpha = await world.replica({ name: 'alpha' });
  const port = await freePort();
  const mapped = await mapPort(world, port);
  const beta = await world.replica({ name: 'beta', mesh: `tcp://127.0.0.1:${port}`, joins: [alpha.mesh],
    args: ['--advertise', mapped.endpoint] });
  assert.equal(beta.mesh, mapped.endpoint);
  await meshed([alpha, beta]);
  assert.equal((await alpha.peer('beta')).endpoint, mapped.endpoint);
  assert.ok(mapped.connections > 0);
  const [ann, bob] = [await Client.join(world, alpha, 'lobby'), await Client.join(world, beta, 'lobby')];
  ann.say('through the mapped port');
  await bob.frame((frame) => frame.text === 'through the mapped port');
  bob.say('and back');
  await ann.frame((frame) => frame.text === 'and back');
});

scenario('a message reaches each client of the chat once, within a second', async (world) => {
  const replicas = await world.cluster('alpha', 'beta', 'gamma');
  const clients = [];
  for (const replica of replicas) clients.push(await Client.join(world, replica, 'lobby'));
  const elsewhere = await Client.join(world, replicas[1], 'other');
  for (const [i, client] of clients.entries()) {
    const text = `from ${replicas[i].name}: "quoted" \\ \u0007 é 🦊\n`;
    client.say(text);
    for (const receiver of clients) {
      const message = await receiver.frame((frame) => frame.text === text, 1000);
      const { id, session, ...rest } = message;
      assert.match(id, /^[0-9a-f]{16}-[0-9a-f]{16}$/);
      assert.equal(session, client.session);
      assert.deepEqual(rest, { type: 'message', chat: 'lobby', user: `user of ${replicas[i].name}`,
        text, node: replicas[i].name });
    }
  }
  for (const client of clients) assert.equal(client.messages.length, 3);
  assert.equal(elsewhere.messages.length, 0);
});

scenario('sorted by id, every client has the same order', async (world) => {
  const replicas = await world.cluster('alpha', 'beta', 'gamma');
  const clients = [];
  for (const replica of replicas) clients.push(await Client.join(world, replica, 'order'));
  const rounds = 200;
  for (let i = 0; i < rounds; i++)
    for (const [who, client] of clients.entries()) client.say(`${who} ${i}`);
  const all = rounds * clients.length;
  await until('all messages everywhere', () => clients.every((c) => c.messages.length >= all));
  const order = ids(clients[0]).sort();
  assert.equal(new Set(order).size, all);
  for (const client of clients) {
    assert.equal(client.messages.length, all);
    assert.deepEqual(ids(client).sort(), order);
    for (const who of clients.keys()) {
      const own = client.messages.filter((message) => message.text.startsWith(`${who} `));
      assert.deepEqual(own.map((message) => message.text),
        Array.from({ length: rounds }, (_, i) => `${who} ${i}`));
    }
  }
});

scenario('a replica without members of a chat gets none of its payload', async (world) => {
  const [alpha, beta, gamma] = await world.cluster('alpha', 'beta', 'gamma');
  const speaker = await Client.join(world, alpha, 'busy');
  const listener = await Client.join(world, beta, 'busy');
  await Client.join(world, gamma, 'quiet');
  const before = (await gamma.stats()).peers;
  for (let i = 0; i < 100; i++) speaker.say(`${i} ${'x'.repeat(1000)}`);
  await until('beta has all', () => listener.messages.length === 100);
  // A message of another chat that comes after them on the same ordered link.
  const quiet = await Client.join(world, alpha, 'quiet');
  const member = await Client.join(world, gamma, 'quiet', 'second');
  quiet.say('last');
  await member.frame((frame) => frame.text === 'last');
  for (const { name, payload_bytes_in: bytes } of (await gamma.stats()).peers) {
    const had = before.find((peer) => peer.name === name).payload_bytes_in;
    assert.ok(bytes - had < 5000, `${bytes - had} payload bytes of ${name} reached gamma`);
  }
  assert.ok((await beta.peer('alpha')).payload_bytes_in > 100 * 1000);
});

scenario('everyone sees who is connected to which replica', async (world) => {
  const [alpha, beta] = await world.cluster('alpha', 'beta', SOON);
  const anna = await Client.join(world, alpha, 'roster', 'anna');
  const ben = await Client.join(world, beta, 'roster', 'ben');
  const carl = await Client.join(world, beta, 'roster', 'carl');
  const everyone = ['anna@alpha', 'ben@beta', 'carl@beta'];
  for (const client of [anna, ben, carl])
    await until('all three are shown', () => `${client.people()}` === `${everyone}`);
  ben.socket.close();
  await until('ben has left', () => `${anna.people()}` === 'anna@alpha,carl@beta');
  const totals = anna.of('members').at(-1);
  assert.deepEqual([totals.users, totals.sessions, totals.complete], [2, 2, true]);
});

scenario('a user who comes back at once, anywhere, has not left', async (world) => {
  const [alpha, beta] = await world.cluster('alpha', 'beta');
  const anna = await Client.join(world, alpha, 'reload', 'anna');
  const tabs = [];
  for (const replica of [alpha, beta, beta])
    tabs.push(await Client.join(world, replica, 'reload', 'ben'));
  const sessions = () => anna.members().get('ben')?.sessions;
  await until('ben has three tabs', () => sessions() === 3);
  assert.equal(anna.people().filter((where) => where === 'ben@beta').length, 1);
  for (const tab of tabs) tab.socket.close();
  for (const tab of tabs) await tab.close();
  await Client.join(world, alpha, 'reload', 'ben');
  await until('ben has one tab', () => sessions() === 1);
  const left = anna.of('members').flatMap(({ members }) => members)
    .filter(({ event }) => event === 'leave');
  assert.deepEqual(left, []);
  assert.equal(anna.of('members').at(-1).users, 2);
});

scenario('a typing mark reaches the others, and is no message', async (world) => {
  const [alpha, beta] = await world.cluster('alpha', 'beta');
  const anna = await Client.join(world, alpha, 'lobby', 'anna');
  const ben = await Client.join(world, beta, 'lobby', 'ben');
  anna.say('\0typing');
  const mark = await ben.frame((frame) => frame.type === 'typing');
  assert.equal(mark.user, 'anna');
  assert.equal(mark.session, anna.session);
  ben.say('I see');
  await anna.frame((frame) => frame.text === 'I see');
  assert.equal(anna.of('typing').length, 0);
  const confused = await Client.join(world, alpha, 'lobby', 'confused');
  confused.say('\0dance');
  assert.equal((await confused.close()).code, 1008);
});

scenario('kill -9 of a replica is reported, the others go on, a restart heals', async (world) => {
  const [alpha, beta, gamma] = await world.cluster('alpha', 'beta', 'gamma', SOON);
  const onAlpha = await Client.join(world, alpha, 'lobby');
  const onBeta = await Client.join(world, beta, 'lobby');
  const onGamma = await Client.join(world, gamma, 'lobby');
  await until('gamma is shown', () => onAlpha.people().length === 3);
  const { id } = await gamma.stats();

  await gamma.kill('SIGKILL');
  await onGamma.close();
  for (const client of [onAlpha, onBeta]) {
    await client.frame((frame) => frame.type === 'replica' && frame.state === 'down' &&
      frame.node === 'gamma' && frame.id === id);
    await until('its client has left', () => client.people().length === 2);
  }
  assert.equal((await alpha.peer('gamma')).state, 'down');
  onAlpha.say('still here');
  await onBeta.frame((frame) => frame.text === 'still here');

  const again = await world.replica({ name: 'gamma', listen: gamma.host, mesh: gamma.mesh,
    joins: [alpha.mesh], ...SOON });
  await meshed([alpha, beta, again]);
  assert.notEqual((await again.stats()).id, id);
  const back = await Client.join(world, again, 'lobby');
  onBeta.say('welcome back');
  await back.frame((frame) => frame.text === 'welcome back');
  back.say('thank you');
  for (const client of [onAlpha, onBeta, back])
    await client.frame((frame) => frame.text === 'thank you');
  assert.deepEqual(texts(onAlpha), ['still here', 'thank you', 'welcome back']);
  for (const client of [onAlpha, onBeta, back])
    await until('all three are shown again', () => client.people().length === 3);
  for (const client of [onAlpha, onBeta]) assert.equal(client.of('gap').length, 0);
});

scenario('a replica that was frozen is down, and comes back with its people', async (world) => {
  const [alpha, beta] = await world.cluster('alpha', 'beta', SOON);
  const onAlpha = await Client.join(world, alpha, 'lobby');
  const onBeta = await Client.join(world, beta, 'lobby');
  await until('both are shown', () => onAlpha.people().length === 2);
  const told = (state) =>
    onAlpha.frame((frame) => frame.type === 'replica' && frame.state === state);
  beta.process.kill('SIGSTOP');
  await told('silent');
  await told('down');
  await until('beta\'s client has left', () => `${onAlpha.people()}` === 'user of alpha@alpha');
  beta.process.kill('SIGCONT');
  await meshed([alpha, beta]);
  await until('both are shown again', () => onAlpha.people().length === 2);
  onAlpha.say('good morning');
  await onBeta.frame((frame) => frame.text === 'good morning');
  onBeta.say('have I been asleep?');
  await onAlpha.frame((frame) => frame.text === 'have I been asleep?');
});

scenario('the first replica, the only one that was named, can be restarted too', async (world) => {
  const [alpha, beta, gamma] = await world.cluster('alpha', 'beta', 'gamma');
  await alpha.kill('SIGKILL');
  const again = await world.replica({ name: 'alpha', listen: alpha.host, mesh: alpha.mesh });
  await meshed([again, beta, gamma]);
});

scenario('SIGTERM ends a replica in order', async (world) => {
  const [alpha, beta] = await world.cluster('alpha', 'beta');
  const onAlpha = await Client.join(world, alpha, 'lobby');
  const onBeta = await Client.join(world, beta, 'lobby');
  assert.deepEqual(await beta.kill('SIGTERM'), { code: 0, signal: null });
  assert.equal((await onBeta.close()).code, 1001);
  const told = ({ type, state }) => type === 'replica' && state === 'down';
  assert.equal((await onAlpha.frame(told, 5000)).node, 'beta'); // at once, not after a time-out
  assert.equal(beta.stderr, '');
  const alone = await world.replica({ name: 'alone', mesh: null });
  assert.equal(alone.mesh, 'none');
  assert.deepEqual(await alone.kill('SIGINT'), { code: 0, signal: null });
});
