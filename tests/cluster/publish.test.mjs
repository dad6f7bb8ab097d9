// POST /publish: what gets through, what does not, and that a repetition changes nothing.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from './client.mjs';
import { binary, meshed, scenario, until } from './replica.mjs';

const TOKEN = 's3cret-Token-of-the-cluster';

function tokenFile(world, text = `${TOKEN}\n`) {
  const directory = mkdtempSync(join(tmpdir(), 'wsfan-token-'));
  world.closing(() => rmSync(directory, { recursive: true, force: true }));
  const file = join(directory, 'token');
  writeFileSync(file, text);
  return file;
}

async function publishers(world, ...names) {
  const file = tokenFile(world);
  const replicas = [];
  for (const name of names)
    replicas.push(await world.replica({ name, joins: replicas.slice(0, 1).map((r) => r.mesh),
      args: ['--publish-token', file] }));
  await meshed(replicas);
  return replicas;
}

function post(replica, body, { token = TOKEN, key, headers = {}, method = 'POST' } = {}) {
  return fetch(new URL('publish', replica.page), {
    method,
    headers: { ...(token && { authorization: `Bearer ${token}` }),
      ...(key && { 'idempotency-key': key }), ...headers },
    body: typeof body === 'string' || body === undefined ? body : JSON.stringify(body),
  });
}

async function refused(response, status, told) {
  const text = await response.text();
  assert.equal(response.status, status, text);
  assert.match(JSON.parse(text).error, told);
}

scenario('a chat, a user, or everyone gets it on every replica, and the answer tells', async (world) => {
  const [alpha, beta] = await publishers(world, 'alpha', 'beta');
  const anna = await Client.join(world, alpha, 'lobby', 'anna');
  const ben = await Client.join(world, beta, 'lobby', 'ben');
  const carl = await Client.join(world, beta, 'other', 'carl');
  const answer = await post(alpha, { chat: 'lobby', text: 'to "the" chat é', from: 'billing' });
  assert.equal(answer.status, 200);
  const { id, ...rest } = await answer.json();
  assert.deepEqual(rest, { complete: true, sessions_here: 1,
    replicas: { addressed: 1, acknowledged: 1, behind: 0, lost: 0, refusing: 0 } });
  for (const client of [anna, ben]) {
    const message = await client.frame((frame) => frame.text === 'to "the" chat é');
    assert.equal(message.id, id);
    assert.equal(message.user, 'billing');
    assert.equal(message.chat, 'lobby');
  }
  const user = await (await post(alpha, { user: 'carl', text: 'to carl' })).json();
  assert.deepEqual([user.complete, user.sessions_here, user.replicas.addressed], [true, 0, 1]);
  assert.equal((await carl.frame((frame) => frame.text === 'to carl')).user, 'publisher');
  assert.equal((await post(beta, { everyone: true, text: 'to all' })).status, 200);
  for (const client of [anna, ben, carl]) await client.frame((frame) => frame.text === 'to all');
  for (const client of [anna, ben]) assert.equal(client.messages.length, 2);
  const nobody = await (await post(alpha, { chat: 'empty', text: 'hello?' })).json();
  assert.deepEqual([nobody.sessions_here, nobody.replicas.addressed], [0, 0]);
});

scenario('what is wrong with a request is told, and nothing is published', async (world) => {
  const [alpha] = await publishers(world, 'alpha');
  const anna = await Client.join(world, alpha, 'lobby', 'anna');
  const good = { chat: 'lobby', text: 'x' };
  const published = (await alpha.stats()).published;
  for (const token of [null, 'wrong', `${TOKEN}x`, TOKEN.slice(1), TOKEN.toLowerCase()]) {
    const response = await post(alpha, good, { token });
    assert.equal(response.headers.get('www-authenticate'), 'Bearer');
    await refused(response, 401, /bearer token is missing or wrong/);
  }
  await refused(await post(alpha, good, { token: null,
    headers: { authorization: `Basic ${TOKEN}` } }), 401, /bearer/);
  const get = await post(alpha, undefined, { method: 'GET' });
  assert.equal(get.headers.get('allow'), 'POST');
  await refused(get, 405, /only POST/);
  await refused(await post(alpha, undefined), 411, /no body/);
  await refused(await post(alpha, '{"chat":'), 400, /no JSON/);
  await refused(await post(alpha, '{"chat":"lobby","text":"x"} x'), 400, /no JSON/);
  await refused(await post(alpha, '['.repeat(5000)), 400, /no JSON/);
  await refused(await post(alpha, '[]'), 422, /no JSON object/);
  for (const [body, told] of [
    [{ text: 'x' }, /one of chat, user, and everyone/],
    [{ ...good, user: 'u' }, /one of chat, user, and everyone/],
    [{ text: 'x', everyone: false }, /one of chat, user, and everyone/],
    [{ chat: '', text: 'x' }, /chat: it must be/],
    [{ chat: 7, text: 'x' }, /chat: it must be/],
    [{ chat: 'c'.repeat(129), text: 'x' }, /chat: it must be/],
    [{ user: 'u'.repeat(65), text: 'x' }, /user: it must be/],
    [{ chat: 'lobby' }, /text: it must be/],
    [{ chat: 'lobby', text: 'x'.repeat(16385) }, /text: it must be/],
    [{ ...good, from: 'f'.repeat(65) }, /from: it must be/],
  ]) await refused(await post(alpha, body), 422, told);
  await refused(await post(alpha, { ...good, pad: 'x'.repeat(65536) }), 413, /longer than 65536/);
  await refused(await post(alpha, good, { key: 'k'.repeat(129) }), 400, /longer than 128/);
  assert.equal((await alpha.stats()).published, published);
  assert.equal(anna.messages.length, 0);
  // At the limits it works.
  const full = { chat: 'lobby', text: 'x'.repeat(16384), from: 'f'.repeat(64) };
  assert.equal((await post(alpha, full, { key: 'k'.repeat(128) })).status, 200);
  const padded = { ...good, pad: '' };
  padded.pad = 'p'.repeat(65536 - JSON.stringify(padded).length);
  assert.equal((await post(alpha, padded)).status, 200);
});

scenario('the same key publishes once, whatever the number of repetitions', async (world) => {
  const [alpha] = await publishers(world, 'alpha');
  const anna = await Client.join(world, alpha, 'lobby', 'anna');
  const body = { chat: 'lobby', text: 'once' };
  const first = await (await post(alpha, body, { key: 'order-1' })).text();
  for (let i = 0; i < 5; i++) {
    const again = await post(alpha, body, { key: 'order-1' });
    assert.equal(again.status, 200);
    assert.equal(await again.text(), first);
  }
  await refused(await post(alpha, { ...body, text: 'other' }, { key: 'order-1' }), 422,
    /used for something else/);
  // What was refused has used no key.
  await refused(await post(alpha, { chat: 'lobby' }, { key: 'order-2' }), 422, /text/);
  assert.equal((await post(alpha, { chat: 'lobby', text: 'two' }, { key: 'order-2' })).status, 200);
  // All at once: one goes out, the others are told so, or get its answer.
  const answers = await Promise.all(Array.from({ length: 8 },
    () => post(alpha, { chat: 'lobby', text: 'burst' }, { key: 'order-3' })));
  for (const { status } of answers) assert.ok(status === 200 || status === 409, `${status}`);
  await until('it has come', () => anna.messages.some(({ text }) => text === 'burst'));
  // A thousand keys later the first is forgotten, and memory is bounded.
  for (let i = 0; i < 1024; i += 32)
    await Promise.all(Array.from({ length: 32 },
      (_, j) => post(alpha, { chat: 'none', text: 'x' }, { key: `fill-${i + j}` })));
  assert.equal((await post(alpha, body, { key: 'order-1' })).status, 200);
  await until('it came again', () =>
    anna.messages.filter(({ text }) => text === 'once').length === 2);
  assert.deepEqual(anna.messages.map(({ text }) => text), ['once', 'two', 'burst', 'once']);
});

scenario('without a token there is no such thing, and a bad token file is an error', async (world) => {
  const alpha = await world.replica({ name: 'alpha' });
  await refused(await post(alpha, { chat: 'lobby', text: 'x' }), 404, /no --publish-token/);
  for (const text of ['', '\n', `${'t'.repeat(257)}\n`]) {
    const child = world.run(binary, ['--listen', '127.0.0.1:0', '--publish-token',
      tokenFile(world, text)]);
    assert.equal((await until('it ends', () => child.exit)).code, 2);
    assert.match(child.stderr, /there is no token of 1 to 256 bytes/);
  }
});

scenario('clients that hang up before the answer harm nobody',
  async (world) => {
    const [alpha] = await publishers(world, 'alpha');
    const anna = await Client.join(world, alpha, 'lobby', 'anna');
    for (let i = 0; i < 20; i++) {
      const stop = new AbortController();
      const request = fetch(new URL('publish', alpha.page), { method: 'POST', signal: stop.signal,
        headers: { authorization: `Bearer ${TOKEN}` },
        body: JSON.stringify({ chat: 'lobby', text: `${i}` }) });
      setImmediate(() => stop.abort());
      await request.catch(() => {});
    }
    assert.equal((await post(alpha, { chat: 'lobby', text: 'end' })).status, 200);
    await anna.frame((frame) => frame.text === 'end');
  });
