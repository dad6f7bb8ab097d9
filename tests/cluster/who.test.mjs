// Who is where, asked of any replica, and answered in time whatever the others do.

import assert from 'node:assert/strict';
import { Client } from './client.mjs';
import { scenario, until } from './replica.mjs';

const ANSWER_MS = 1000; // as in who.c

const get = async (replica, path, status = 200) => {
  const response = await fetch(new URL(path, replica.page));
  assert.equal(response.status, status, path);
  return response.json();
};

const post = (replica, path, headers = {}) =>
  fetch(new URL(path, replica.page), { method: 'POST', headers });

scenario('every replica lists the chats, users and nodes of all', async (world) => {
  const replicas = await world.cluster('alpha', 'beta', 'gamma');
  const [alpha, beta, gamma] = replicas;
  const clients = [await Client.join(world, alpha, 'lobby', 'ann'),
    await Client.join(world, beta, 'lobby', 'ann'), await Client.join(world, gamma, 'lobby', 'bob'),
    await Client.join(world, gamma, 'tea & cake/é', 'ann')];
  for (const replica of replicas) {
    assert.deepEqual(await get(replica, 'chats'), {
      chats: [{ name: 'lobby', sessions: 3 }, { name: 'tea & cake/é', sessions: 1 }],
      complete: true, missing: [] });

    const ann = await get(replica, 'users/ann');
    assert.deepEqual([ann.complete, ann.missing], [true, []]);
    const expected = [[clients[0], 'alpha', 'lobby'], [clients[1], 'beta', 'lobby'],
      [clients[3], 'gamma', 'tea & cake/é']].map(([client, node, chat]) =>
      ({ id: client.session, node, chats: [chat] }));
    const byId = (a, b) => a.id.localeCompare(b.id);
    assert.deepEqual(ann.sessions.sort(byId), expected.sort(byId));
    assert.deepEqual(await get(replica, 'users/nobody'),
      { sessions: [], complete: true, missing: [] });

    const { nodes, complete } = await get(replica, 'nodes');
    assert.ok(complete);
    const sessions = Object.fromEntries(nodes.map((node) => [node.name, node.sessions]));
    assert.deepEqual(sessions, { alpha: 1, beta: 1, gamma: 2 });
    for (const { name, id } of nodes)
      assert.equal(id, (await replicas.find((r) => r.name === name).stats()).id);
  }
});

scenario('a frozen replica costs the time limit, and is named', async (world) => {
  const [alpha, beta, gamma] = await world.cluster('alpha', 'beta', 'gamma');
  for (const replica of [alpha, beta, gamma]) await Client.join(world, replica, 'lobby', 'ann');
  await get(alpha, 'nodes'); // node's own client is warm
  gamma.process.kill('SIGSTOP');
  try {
    for (const path of ['chats', 'users/ann', 'nodes']) {
      const began = performance.now();
      const answer = await get(alpha, path);
      const took = performance.now() - began;
      assert.deepEqual([answer.complete, answer.missing], [false, ['gamma']]);
      assert.ok(took >= ANSWER_MS - 20, `${path} took ${took} ms`);
      const rows = answer.chats || answer.sessions || answer.nodes;
      assert.equal(rows.length, path === 'chats' ? 1 : 2, path); // what the others have
    }
  } finally {
    gamma.process.kill('SIGCONT');
  }
  await until('it is heard again', async () => (await get(alpha, 'chats')).complete);
  assert.deepEqual((await get(alpha, 'chats')).chats, [{ name: 'lobby', sessions: 3 }]);
});

scenario('a client is kicked by its session or its user, wherever it is', async (world) => {
  const [alpha, beta] = await world.cluster('alpha', 'beta');
  const ann = await Client.join(world, beta, 'lobby', 'ann');
  const bobs = [await Client.join(world, alpha, 'lobby', 'bob'),
    await Client.join(world, beta, 'lobby', 'bob')];
  const kicked = await (await post(alpha, `kick?session=${ann.session}`)).json();
  assert.deepEqual(kicked, { sessions: 1, complete: true, missing: [] });
  assert.deepEqual(await ann.close(), { code: 4001, reason: 'kicked' });
  assert.equal((await (await post(beta, 'kick?user=bob')).json()).sessions, 2);
  for (const bob of bobs) assert.equal((await bob.close()).code, 4001);
  assert.deepEqual(await get(alpha, 'chats'), { chats: [], complete: true, missing: [] });
  assert.equal((await (await post(alpha, 'kick?user=bob')).json()).sessions, 0);

  assert.equal((await post(alpha, 'kick')).status, 400);
  assert.equal((await post(alpha, 'kick?session=nonsense')).status, 400);
  assert.equal((await post(alpha, 'kick?user=x', { origin: 'http://elsewhere.example' })).status,
    403);
  assert.equal((await post(alpha, 'kick?user=x', { origin: `http://${alpha.host}` })).status, 200);
  assert.equal((await post(alpha, 'chats')).status, 405);
  assert.equal((await fetch(new URL('kick?user=x', alpha.page))).status, 405);
});

scenario('a user is found by any name, or the request is refused', async (world) => {
  const alpha = await world.replica({ name: 'alpha' });
  const names = ['a/b', 'a//b', '/a', 'a/./b', '..', '.', 'a;b', 'a&b', 'p%q+r s?&#', 'é'];
  const sessions = new Map();
  for (const name of names) sessions.set(name, (await Client.join(world, alpha, 'lobby', name)).session);
  for (const name of names) {
    const found = await get(alpha, `users?user=${encodeURIComponent(name)}`);
    assert.deepEqual(found.sessions.map(({ id }) => id), [sessions.get(name)], name);
  }
  for (const query of ['users', 'users?user=', 'users?user=%ff', `users?user=${'x'.repeat(65)}`, 'users/%ff',
    `users/${'x'.repeat(65)}`, 'users/a%2Fb', 'users/a%2F%2Fb', 'users?user=a&user=b'])
    assert.equal((await fetch(new URL(query, alpha.page))).status, 400, query);
});

scenario('a long list comes in pages', async (world) => {
  const [alpha, beta] = await world.cluster('alpha', 'beta');
  const chats = 300; // a page has 128
  const clients = [];
  for (let i = 0; i < chats; i++) {
    clients.push(new Client(world, (i % 2 ? alpha : beta).address(`chat ${i}`, 'ann')));
    if (i % 100 === 99) // no more at once than wait to be accepted
      await until('all are told', () => clients.every((client) => client.of('joined').length > 0));
  }
  const names = [];
  const ids = new Set();
  for (const [path, take] of [['chats', (page) => names.push(...page.chats.map((c) => c.name))],
    ['users', (page) => page.sessions.forEach(({ id }) => ids.add(id))]]) {
    let page = { next: '' };
    let pages = 0;
    for (; page.next !== undefined; pages++) {
      page = await get(alpha, `${path}?user=ann&after=${page.next}`);
      assert.ok(page.complete);
      take(page);
    }
    assert.equal(pages, 3);
  }
  assert.equal(new Set(names).size, chats);
  assert.deepEqual(names, [...names].sort());
  assert.equal(ids.size, chats);
  assert.equal((await fetch(new URL('chats?after=xyz', alpha.page))).status, 400);
});
