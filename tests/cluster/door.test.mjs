// Who may come in: clients to a replica, and replicas to the mesh.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import https from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from './client.mjs';
import { binary, meshed, scenario, until } from './replica.mjs';

function folder(world) {
  const path = mkdtempSync(join(tmpdir(), 'wsfan-door-'));
  world.closing(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

// The status with which a handshake was refused.
async function refusal(world, address, options) {
  const client = new Client(world, address, options);
  const error = await until('the handshake is refused', () => client.error);
  const found = /Unexpected server response: (\d+)/.exec(error.message);
  assert.ok(found, error.message);
  return Number(found[1]);
}

const Z85 = '0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#';
const z85 = (bytes) => [0, 4, 8, 12, 16, 20, 24, 28].map((at) => {
  let value = bytes.readUInt32BE(at);
  let text = '';
  for (let i = 0; i < 5; i++, value = Math.floor(value / 85)) text = Z85[value % 85] + text;
  return text;
}).join('');

// A certificate as czmq's zcert_save() writes it.
function certificate(path) {
  const { x, d } = generateKeyPairSync('x25519').privateKey.export({ format: 'jwk' });
  const [open, secret] = [x, d].map((text) => z85(Buffer.from(text, 'base64url')));
  const head = `#   ZeroMQ CURVE Certificate\n\nmetadata\ncurve\n    public-key = "${open}"\n`;
  writeFileSync(path, head);
  writeFileSync(`${path}_secret`, `${head}    secret-key = "${secret}"\n`);
  return path;
}

scenario('a page of another origin may not connect, unless it is named', async (world) => {
  const alpha = await world.replica({ name: 'alpha' });
  const beta = await world.replica({ name: 'beta', args: ['--origin', 'https://chat.example'] });
  const address = alpha.address('lobby', 'me');
  assert.equal(await refusal(world, address, { origin: 'https://evil.example' }), 403);
  assert.equal(await refusal(world, address, { origin: `http://${alpha.host}.evil.example` }), 403);
  assert.equal(await refusal(world, address, { origin: 'null' }), 403);
  await Client.join(world, alpha, 'lobby', 'own page', { origin: `http://${alpha.host}` });
  await Client.join(world, alpha, 'lobby', 'no browser');
  await Client.join(world, beta, 'lobby', 'named page', { origin: 'https://chat.example' });
  assert.equal(await refusal(world, beta.address('lobby', 'me'),
    { origin: `http://${beta.host}` }), 403);
});

scenario('without the token nobody connects or sees statistics', async (world) => {
  const file = join(folder(world), 'token');
  writeFileSync(file, 'open sesame\nnot this\n');
  const alpha = await world.replica({ name: 'alpha', args: ['--token', file] });
  const address = alpha.address('lobby', 'me');
  for (const wrong of ['', '&token=', '&token=open', '&token=open+sesame2', '&token=open+sesamE'])
    assert.equal(await refusal(world, address + wrong), 401, wrong);
  const headers = { authorization: 'Bearer open sesame' };
  assert.equal(await refusal(world, address, { headers: { authorization: 'Bearer no' } }), 401);
  assert.equal((await fetch(new URL('stats', alpha.page))).status, 401);
  assert.equal((await fetch(new URL('stats', alpha.page), { headers })).status, 200);
  assert.equal((await fetch(new URL('healthz', alpha.page))).status, 200);
  await Client.join(world, alpha, 'lobby', 'by header', { headers });
  const client = new Client(world, `${address}&token=open+sesame`);
  await client.frame(({ type }) => type === 'welcome');
});

// What a request gets: its status, and that a refused one did nothing is for the caller to see.
const status = async (replica, path, headers = {}, options = {}) =>
  (await fetch(new URL(path, replica.page), { headers, ...options })).status;

scenario('questions to the cluster and kicks need the token, in its place', async (world) => {
  const file = join(folder(world), 'token');
  writeFileSync(file, 'open sesame\n');
  const alpha = await world.replica({ name: 'alpha', args: ['--token', file] });
  const right = { authorization: 'Bearer open sesame' };
  const ann = await Client.join(world, alpha, 'lobby', 'ann', { headers: right });
  const kick = (path, headers, options) =>
    status(alpha, path, headers, { method: 'POST', ...options });
  const asks = [...['chats', 'nodes', 'users/ann', 'stats'].map((path) =>
    [path, (at, headers, options) => status(alpha, at, headers, options)]),
  ['kick?user=ann', kick], [`kick?session=${ann.session}`, kick]];
  for (const [path, ask] of asks) {
    const and = path.includes('?') ? '&' : '?';
    assert.equal(await ask(path), 401, path);
    for (const wrong of ['open', 'open sesam', 'open sesame2', 'open sesamE', 'Open sesame', ' ']) {
      assert.equal(await ask(path, { authorization: `Bearer ${wrong}` }), 401, `${path} ${wrong}`);
      assert.equal(await ask(`${path}${and}token=${encodeURIComponent(wrong)}`), 401, path);
    }
    // The right one, where nobody looks for it.
    for (const headers of [{ authorization: 'open sesame' }, { authorization: 'Basic open sesame' },
      { authorization: `Basic ${btoa('admin:open sesame')}` }, { token: 'open sesame' },
      { cookie: 'token=open sesame' }, { 'proxy-authorization': 'Bearer open sesame' },
      { 'x-token': 'open sesame' }])
      assert.equal(await ask(path, headers), 401, `${path} ${JSON.stringify(headers)}`);
    for (const key of ['Token', 'tokens', 'xtoken', 'user', 'chat'])
      assert.equal(await ask(`${path}${and}${key}=open+sesame`), 401, `${path} ${key}`);
    assert.equal(await ask(`${path}${and}x=token=open+sesame`), 401, path);
    if (ask === kick)
      assert.equal(await ask(path, {}, { body: 'token=open+sesame' }), 401, path);
  }
  // Only a page of our own acts in a user's name, and only POST acts.
  for (const origin of ['https://evil.example', 'null', `http://${alpha.host}.evil.example`])
    assert.equal(await kick('kick?user=ann', { ...right, origin }), 403, origin);
  assert.equal(await status(alpha, 'kick?user=ann', right), 405);
  assert.equal(await kick('kick', right), 400);
  assert.equal(ann.closed, null);
  ann.say('still here');
  await ann.frame(({ text }) => text === 'still here');

  for (const path of ['chats', 'nodes', 'users/ann', 'stats'])
    for (const ask of [[path, right], [`${path}?token=open+sesame`],
      [`${path}?x=${'x'.repeat(2000)}&token=open+sesame`]])
      assert.equal(await status(alpha, ...ask), 200, ask[0]);
  assert.equal(await kick('kick?user=ann&token=open+sesame', { origin: `http://${alpha.host}` }), 200);
  assert.deepEqual(await ann.close(), { code: 4001, reason: 'kicked' });
  const bob = await Client.join(world, alpha, 'lobby', 'bob', { headers: right });
  assert.equal(await kick(`kick?session=${bob.session}`, right), 200);
  assert.deepEqual(await bob.close(), { code: 4001, reason: 'kicked' });
});

scenario('publishing needs a token of its own, in the header', async (world) => {
  const path = folder(world);
  writeFileSync(join(path, 'clients'), 'open sesame\n');
  writeFileSync(join(path, 'publishers'), 'say it\n');
  const alpha = await world.replica({ name: 'alpha',
    args: ['--token', join(path, 'clients'), '--publish-token', join(path, 'publishers')] });
  const ann = await Client.join(world, alpha, 'lobby', 'ann',
    { headers: { authorization: 'Bearer open sesame' } });
  const publish = (headers, at = 'publish', text = 'forged') => status(alpha, at, headers,
    { method: 'POST', body: JSON.stringify({ chat: 'lobby', text }) });
  assert.equal(await publish({}), 401);
  for (const authorization of ['Bearer open sesame', 'Bearer say', 'Bearer say it2', 'Bearer say iT',
    'say it', 'Basic say it', 'Bearer '])
    assert.equal(await publish({ authorization }), 401, authorization);
  assert.equal(await publish({}, 'publish?token=say+it'), 401);
  assert.equal(await publish({ cookie: 'token=say it', token: 'say it' }), 401);
  assert.equal(await publish({ authorization: 'Bearer say it' }, 'publish', 'true'), 200);
  await ann.frame(({ type }) => type === 'message');
  assert.deepEqual(ann.messages.map(({ text }) => text), ['true']);
  // And it opens nothing else.
  for (const other of ['chats', 'nodes', 'users/ann', 'stats'])
    assert.equal(await status(alpha, other, { authorization: 'Bearer say it' }), 401, other);
});

scenario('so many clients, handshakes and messages, and no more', async (world) => {
  const alpha = await world.replica({ name: 'alpha', args: ['--clients', '2'] });
  const first = await Client.join(world, alpha, 'lobby', 'one');
  await Client.join(world, alpha, 'lobby', 'two');
  assert.equal(await refusal(world, alpha.address('lobby', 'three')), 503);
  first.socket.terminate();
  await until('there is room', async () => (await alpha.stats()).clients.open === 1);
  await Client.join(world, alpha, 'lobby', 'three');

  const beta = await world.replica({ name: 'beta', args: ['--handshakes', '3'] });
  const clients = Array.from({ length: 20 }, (_, i) =>
    new Client(world, beta.address('lobby', `user ${i}`)));
  await until('each has an answer', () => clients.every(({ error, frames }) => error || frames[0]));
  const let_in = clients.filter(({ error }) => !error).length;
  assert.ok(let_in >= 3 && let_in < 20, `${let_in}`);

  const gamma = await world.replica({ name: 'gamma', args: ['--messages', '5'] });
  const talker = await Client.join(world, gamma, 'lobby', 'talker');
  const calm = await Client.join(world, gamma, 'lobby', 'calm');
  // One after another: what a server has not read when it closes may cost its close frame.
  for (let i = 0; i < 100 && !talker.closed; i++) {
    talker.say(`message ${i}`);
    await until('it comes back', () => talker.closed || talker.messages.length > i);
  }
  assert.equal((await talker.close()).code, 1008);
  assert.ok(calm.messages.length >= 1);
  calm.say('still here');
  await calm.frame(({ text }) => text === 'still here');
});

// A replica that ends TLS itself, and whom its clients have to trust.
async function secure(world, ...args) {
  const path = folder(world);
  const [cert, key] = [join(path, 'cert.pem'), join(path, 'key.pem')];
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256',
    '-nodes', '-keyout', key, '-out', cert, '-days', '1', '-subj', '/CN=localhost',
    '-addext', 'subjectAltName=IP:127.0.0.1'], { stdio: 'ignore' });
  const alpha = await world.replica({ name: 'alpha', args: ['--tls-cert', cert, '--tls-key', key, ...args] });
  return { alpha, ca: execFileSync('cat', [cert]) };
}

scenario('clients come by TLS', async (world) => {
  const { alpha, ca } = await secure(world);
  assert.match(alpha.page, /^https:/);
  const speaker = await Client.join(world, alpha, 'lobby', 'one', { ca });
  const listener = await Client.join(world, alpha, 'lobby', 'two', { ca });
  speaker.say('x'.repeat(16000));
  speaker.say('hello');
  await listener.frame(({ text }) => text === 'hello');
  await assert.rejects(fetch(`http://${alpha.host}/healthz`));
});

scenario('a page that came without TLS is of another origin than a replica with TLS', async (world) => {
  const { alpha, ca } = await secure(world, '--host', 'chat.example');
  const enter = (host, origin) => refusal(world, alpha.address('lobby', 'me'), { ca, origin, headers: { host } });
  await Client.join(world, alpha, 'lobby', 'own page', { ca, origin: `https://${alpha.host}` });
  await Client.join(world, alpha, 'lobby', 'by name', { ca, origin: 'https://chat.example', headers: { host: 'chat.example' } });
  assert.equal(await enter(alpha.host, `http://${alpha.host}`), 403);
  assert.equal(await enter('chat.example', 'http://chat.example'), 403);
  assert.equal(await enter('chat.example:80', 'http://chat.example'), 403);
  const kick = (origin) => new Promise((resolve, reject) => {
    const request = https.request(new URL('kick?user=nobody', alpha.page), { method: 'POST', ca, headers: { origin } },
      (response) => { response.resume(); resolve(response.statusCode); });
    request.on('error', reject);
    request.end();
  });
  assert.equal(await kick(`http://${alpha.host}`), 403);
  assert.equal(await kick(`https://${alpha.host}`), 200);
});

scenario('replicas with certificates meet; one that is not allowed stays alone', async (world) => {
  const path = folder(world);
  const friends = join(path, 'friends');
  execFileSync('mkdir', [friends]);
  const own = (name) => ['--cert', certificate(join(friends, name)), '--allow', friends];
  const [forAlpha, forBeta] = [own('alpha'), own('beta')];
  const forMallory = ['--cert', certificate(join(path, 'mallory')), '--allow', friends];
  const alpha = await world.replica({ name: 'alpha', mesh: 'tcp://0.0.0.0:*', args: forAlpha });
  const mesh = alpha.mesh.replace(/\/\/.*:/, '//127.0.0.1:');
  const beta = await world.replica({ name: 'beta', joins: [mesh], args: forBeta });
  const mallory = await world.replica({ name: 'mallory', joins: [mesh], args: forMallory });
  await meshed([alpha, beta]);
  const speaker = await Client.join(world, alpha, 'lobby');
  const listener = await Client.join(world, beta, 'lobby');
  const spy = await Client.join(world, mallory, 'lobby');
  speaker.say('between us');
  await listener.frame(({ text }) => text === 'between us');
  assert.deepEqual((await mallory.stats()).peers, []);
  assert.deepEqual(spy.messages, []);
  // Now mallory's certificate is put where the friends' are, and read.
  execFileSync('cp', [join(path, 'mallory'), friends]);
  alpha.process.kill('SIGHUP');
  beta.process.kill('SIGHUP');
  await meshed([alpha, beta, mallory]);
  speaker.say('among three');
  await spy.frame(({ text }) => text === 'among three');
});

scenario('without a key nothing but loopback is bound, unless one insists', async (world) => {
  const refused = world.run(binary, ['--listen', '127.0.0.1:0', '--mesh', 'tcp://0.0.0.0:*']);
  assert.deepEqual(await refused.exited, { code: 2, signal: null });
  assert.match(refused.stderr, /loopback/);
  await world.replica({ name: 'alpha', mesh: 'tcp://0.0.0.0:*', args: ['--insecure'] });
});
