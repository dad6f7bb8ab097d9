// `wsfan` in a mesh of three nodes: who is there, messages in and out, connections closed.

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';

import { freePort } from '../cluster/replica.mjs';
import { directory, end, liar, met, node, objects, scenario, start, until, wsfan } from './programs.mjs';

// Three nodes: ann in the lobby at two of them and in a room, bob in the lobby, carl in a den.
async function three(world, ...options) {
  const alpha = await node(world, 'name=alpha', ...options, 'lobby:ann', 'room:ann', 'lobby:bob');
  const peer = `peer=${alpha.endpoint}`;
  const beta = await node(world, 'name=beta', peer, ...options, 'lobby:ann');
  const gamma = await node(world, 'name=gamma', peer, ...options, 'den:carl');
  await Promise.all([met(alpha, beta, gamma), beta.printed(/^peer gamma up$/m), gamma.printed(/^peer beta up$/m)]);
  return [alpha, beta, gamma];
}

async function rows(world, ...args) {
  const child = await wsfan(world, ...args, '--json');
  assert.equal(child.exit.code, 0, child.story());
  return objects(child);
}

scenario('lists tell of every node, chat, user and session', async (world) => {
  const nodes = await three(world);
  const join = ['--join', nodes[1].endpoint];
  const sorted = await rows(world, 'nodes', ...join);
  assert.deepEqual(sorted.map(({ node: name, endpoint, state, sessions }) => [name, endpoint, state, sessions]), [
    ['alpha', nodes[0].endpoint, 'up', 3], ['beta', nodes[1].endpoint, 'up', 1],
    ['gamma', nodes[2].endpoint, 'up', 1]]);
  assert.deepEqual(await rows(world, 'chats', ...join), [{ chat: 'den', sessions: 1 },
    { chat: 'lobby', sessions: 3 }, { chat: 'room', sessions: 1 }]);
  const users = await rows(world, 'users', ...join);
  assert.deepEqual(users.map(({ user, sessions }) => [user, sessions]), [['ann', 3], ['bob', 1], ['carl', 1]]);
  assert.deepEqual(users[0].nodes.split(', ').sort(), ['alpha', 'beta']);
  const members = await rows(world, 'members', 'lobby', ...join);
  assert.deepEqual(members.map(({ user, sessions }) => [user, sessions]), [['ann', 2], ['bob', 1]]);
  assert.equal((await rows(world, 'sessions', ...join)).length, 5);
  const lobby = await rows(world, 'sessions', '--chat', 'lobby', ...join);
  assert.deepEqual(lobby.map(({ user, chat }) => `${user} ${chat}`).sort(), ['ann lobby', 'ann lobby', 'bob lobby']);
  assert.deepEqual(await rows(world, 'chats', '--node', 'gamma', ...join), [{ chat: 'den', sessions: 1 }]);
  assert.deepEqual(await rows(world, 'chats', '--user', 'bob', ...join), [{ chat: 'lobby', sessions: 1 }]);
  const table = await wsfan(world, 'chats', ...join);
  assert.equal(table.stdout, 'CHAT   SESSIONS\nden           1\nlobby         3\nroom          1\n');
  await end(...nodes);
});

scenario('a message is published and comes out of tail; what is no text harms no terminal', async (world) => {
  const nodes = await three(world);
  const tail = start(world, 'tail', 'lobby', 'den', '--json', '--join', nodes[0].endpoint);
  const plain = start(world, 'tail', 'lobby', '--count', '3', '--join', nodes[0].endpoint);
  await until('they listen', () => /listening/.test(tail.stderr) && /listening/.test(plain.stderr));
  const sent = await wsfan(world, 'publish', 'lobby', 'hello \u001b[2J "you"', '--join', nodes[2].endpoint);
  assert.equal(sent.exit.code, 0, sent.story());
  assert.equal(sent.stderr, '');
  await nodes[1].printed(/^message hello/m);
  const lines = start(world, 'publish', 'lobby', '-', '--join', nodes[1].endpoint);
  lines.process.stdin.end(Buffer.from([0x6f, 0x6e, 0x65, 0x0a, 0xff, 0xfe]));
  assert.equal((await lines.exited).code, 0, lines.story());
  await until('all have come', () => tail.stdout.split('\n').length > 3);
  const told = objects(tail);
  assert.deepEqual(told.map(({ chat, text, base64 }) => [chat, text ?? base64]), [
    ['lobby', 'hello \u001b[2J "you"'], ['lobby', 'one'], ['lobby', '//4=']]);
  assert.match(told[0].time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  assert.equal((await plain.exited).code, 0);
  assert.match(plain.stdout, /^\d\d:\d\d:\d\d\.\d{3} {2}lobby {2}hello \\x1b\[2J "you"\n.* {2}one\n.* {2}\\xff\\xfe\n$/);
  assert.deepEqual(await tail.kill('SIGTERM'), { code: 0, signal: null });
  const nobody = await wsfan(world, 'publish', 'nowhere', 'x', '--join', nodes[0].endpoint);
  assert.equal(nobody.exit.code, 0);
  assert.match(nobody.stderr, /no node has a session in nowhere/);
  await end(...nodes);
});

scenario('connections are closed by user, by session, by node', async (world) => {
  const nodes = await three(world);
  const join = ['--join', nodes[0].endpoint];
  const first = await wsfan(world, 'kick', '--user', 'ann', '--reason', 'enough', ...join);
  assert.equal(first.stdout, '3 sessions were asked to close\n', first.story());
  await nodes[1].printed(/^closed enough$/m);
  const [bob] = await rows(world, 'sessions', '--user', 'bob', ...join);
  const second = await wsfan(world, 'kick', '--session', bob.session, ...join);
  assert.equal(second.stdout, '1 session was asked to close\n', second.story());
  const third = await wsfan(world, 'kick', '--node', 'gamma', ...join);
  assert.equal(third.stdout, '1 session was asked to close\n', third.story());
  assert.deepEqual(await rows(world, 'sessions', ...join), []);
  const nowhere = await wsfan(world, 'kick', '--node', 'delta', ...join);
  assert.equal(nowhere.exit.code, 2);
  await end(...nodes);
});

scenario('options come from a file, and the mesh may have a key', async (world) => {
  const path = directory(world);
  const made = await wsfan(world, 'keygen', `${path}/mesh.key`);
  assert.equal(made.exit.code, 0);
  assert.match(made.stdout, /Bring both to every node(.|\n)*Or make one for each node/);
  const again = await wsfan(world, 'keygen', `${path}/mesh.key`);
  assert.equal(again.exit.code, 1);
  assert.match(again.stderr, /nothing is overwritten/);
  const nodes = await three(world, `key_file=${path}/mesh.key`, 'cluster=chat');
  writeFileSync(`${path}/config`, `mesh\n    join = "${nodes[2].endpoint}"\n    key = "${path}/mesh.key"\n` +
    '    cluster = "chat"\n');
  const args = ['--config', `${path}/config`];
  assert.equal((await rows(world, 'nodes', ...args)).length, 3);
  const wrong = await wsfan(world, 'nodes', ...args, '--cluster', 'other', '--timeout', '1');
  assert.equal(wrong.exit.code, 3);
  assert.match(wrong.stderr, /it is refused; `wsfan doctor --key \S+ --cluster other tcp:.*` tells why/);
  writeFileSync(`${path}/bad`, 'mesh\n    jion = "x"\n');
  const bad = await wsfan(world, 'nodes', '--config', `${path}/bad`);
  assert.equal(bad.exit.code, 2);
  assert.match(bad.stderr, /there is no option `jion`/);
  await end(...nodes);
});

scenario('where nobody is, or an argument is wrong, it says so', async (world) => {
  const alone = await wsfan(world, 'nodes', '--join', `tcp://127.0.0.1:${await freePort()}`, '--timeout', '1');
  assert.equal(alone.exit.code, 3);
  assert.match(alone.stderr, /no node was met; `wsfan doctor tcp:.*` tells why/);
  for (const [says, ...args] of [[/there is no command nosuch/, 'nosuch'], [/takes --join/, 'nodes'],
    [/no such option/, 'nodes', '--nosuch'], [/wsfan nodes takes no --shared/, 'nodes', '--shared'],
    [/whom to kick/, 'kick', '--join', 'tcp://127.0.0.1:1'], [/usage: wsfan members/, 'members'],
    [/--join: an endpoint/, 'nodes', '--join', 'nonsense'],
    [/no loopback address/, 'nodes', '--join', 'tcp://127.0.0.1:1', '--from', 'tcp://0.0.0.0:*']]) {
    const child = await wsfan(world, ...args);
    assert.equal(child.exit.code, 2, child.story());
    assert.match(child.stderr, says);
  }
  const help = await wsfan(world, '--help');
  assert.equal(help.exit.code, 0);
  assert.match(help.stdout, /^usage: wsfan COMMAND/);
  for (const command of help.stdout.matchAll(/^ {2}(\w+) .*$/gm)) {
    if (command[1] === 'wsfan') continue;
    const more = await wsfan(world, command[1], '--help');
    assert.equal(more.exit.code, 0);
    assert.match(more.stdout, new RegExp(`^usage: wsfan ${command[1]} `));
    assert.ok(more.stdout.split('\n').every((line) => line.length <= 100), more.stdout);
  }
});

scenario('top shows every node and every link, with what goes over it, in 80 columns', async (world) => {
  const nodes = await three(world);
  const join = ['--join', nodes[0].endpoint];
  const feed = start(world, 'publish', 'den', '-', ...join);
  const lines = setInterval(() => feed.process.stdin.write('x\n'.repeat(20)), 20);
  world.closing(() => clearInterval(lines));
  await nodes[2].printed(/^message x$/m);
  const child = await wsfan(world, 'top', '--once', '--json', ...join);
  assert.equal(child.exit.code, 0, child.story());
  const told = objects(child);
  const shown = told.filter((one) => one.node);
  assert.deepEqual(shown.map(({ node: name, sessions }) => [name.replace(/-[0-9a-f]{8}$/, ''), sessions]),
    [['alpha', 3], ['beta', 1], ['gamma', 1], ['wsfan-publish', 0]]);
  assert.ok(shown.every((one) => one.round_trip_ms > 0));
  assert.ok(shown[3].published > 0 && shown[2].received > 0 && shown[2].delivered > 0);
  const links = told.filter((one) => one.from);
  assert.equal(links.length, 12);
  assert.ok(links.every((one) => one.link === 'up'));
  const [busiest] = links.sort((a, b) => b.messages_per_second - a.messages_per_second);
  assert.match(busiest.from, /^wsfan-publish-/);
  assert.equal(busiest.to, 'gamma'); // nobody else has a session in the chat
  assert.ok(links[1].messages_per_second === 0 && busiest.messages_per_second > 0);
  const screen = await wsfan(world, 'top', '--once', ...join);
  assert.match(screen.stdout, /^wsfan top .* cluster wsfan: 4 nodes, 12 of 12 links up$/m);
  assert.match(screen.stdout, /^wsfan-publish > gamma +up /m);
  assert.ok(screen.stdout.split('\n').every((line) => line.length < 80), screen.stdout);
  clearInterval(lines);
  feed.process.stdin.end();
  assert.equal((await feed.exited).code, 0);
  await end(...nodes);
});

scenario('top ends, and names the node, where one tells statistics without end', async (world) => {
  const lying = await liar(world, 'name=mallory');
  const child = await wsfan(world, 'top', '--once', '--join', lying.endpoint);
  assert.equal(child.exit.code, 4, child.story());
  assert.match(child.stderr, /^wsfan: mallory lies: it tells more than 32768 statistics/m);
  assert.match(child.stdout, /^mallory /m);
  await end(lying);
});

scenario('bench tells rates and round trips to all that serve, and of none that does not', async (world) => {
  const serving = [start(world, 'bench', '--serve'), start(world, 'bench', '--serve')];
  const endpoints = [];
  for (const one of serving) endpoints.push((await one.printed(/wsfan bench (tcp:.*)$/m))[1]);
  const child = await wsfan(world, 'bench', '--seconds', '1', '--json', ...endpoints);
  assert.equal(child.exit.code, 0, child.story());
  const [trips, messages] = objects(child);
  assert.equal(trips.measure, 'round_trips');
  assert.equal(trips.servers, 2);
  assert.ok(trips.count > 0 && trips.p50_ms > 0 && trips.p50_ms <= trips.p99_ms && trips.p99_ms <= trips.max_ms);
  assert.equal(messages.measure, 'messages');
  assert.ok(messages.count > 0 && Math.abs(messages.count / messages.seconds / messages.messages_per_second - 1) < 0.01);
  const again = await wsfan(world, 'bench', '--seconds', '1', '--bytes', '60000', endpoints[0]);
  assert.equal(again.exit.code, 0, again.story());
  assert.match(again.stdout, /^round trips .*\n.* half within .*\nmessages .*\n.* a second, .* MB\/s to each of 2\n$/); // they have met
  for (const one of serving) assert.deepEqual(await one.kill('SIGTERM'), { code: 0, signal: null });
  const mute = await node(world);
  const nobody = await wsfan(world, 'bench', '--timeout', '1', mute.endpoint);
  assert.equal(nobody.exit.code, 3);
  assert.match(nobody.stderr, /0 of 1 answer: is `wsfan bench --serve` running there/);
  await end(mute);
});
