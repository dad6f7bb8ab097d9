// What `wsfan doctor` says of a mesh over NATS, and of the mistakes that keep nodes out of it.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { join } from 'node:path';

import { freePort, root } from '../cluster/replica.mjs';
import { directory, doctor, end, node, objects, scenario, until, wsfan } from './programs.mjs';

const program = process.env.NATS_SERVER || '/usr/sbin/nats-server';

const listens = (port) => new Promise((resolve) => {
  const probe = net.connect(port, '127.0.0.1', () => { probe.destroy(); resolve(true); });
  probe.on('error', () => resolve(false));
});

// HOST:PORT of a server with this configuration.
async function server(world, config = '') {
  const port = await freePort();
  const file = join(directory(world), 'nats.conf');
  writeFileSync(file, config);
  const child = world.run(program, ['-a', '127.0.0.1', '-p', `${port}`, '-c', file]);
  await until('a server of NATS listens', async () => await listens(port) || child.exit);
  assert.equal(child.exit, null, child.story());
  return `127.0.0.1:${port}`;
}

// HOST:PORT of what says this, and nothing more.
async function says_only(world, text) {
  const sockets = new Set();
  const listener = net.createServer((socket) => {
    sockets.add(socket.on('error', () => {}).on('data', () => {}));
    socket.write(text);
  }).listen(0, '127.0.0.1');
  world.closing(() => {
    listener.close();
    for (const socket of sockets) socket.destroy();
  });
  await once(listener, 'listening');
  return `127.0.0.1:${listener.address().port}`;
}

scenario('where all is well the doctor names the nodes, and whom each sees', async (world) => {
  const at = await server(world);
  await world.cluster('alpha', 'beta', { nats: `nats://${at}` });
  await doctor(world, { status: 0, says: /ok login .* payload its max_payload, 1048576, .* All is well/ },
    `nats://${at}`);
  const told = objects(await wsfan(world, 'doctor', '--json', `nats://user:secret@${at}`));
  assert.ok(told.every(({ result, endpoint }) => result !== 'failed' && endpoint === `nats://${at}`));
  const nodes = told.filter(({ step }) => step === 'node').map(({ text }) => text.replace(/, [0-9a-f]{16}/, '')).sort();
  assert.deepEqual(nodes, ['alpha, sees beta', 'beta, sees alpha']);
  await doctor(world, { status: 0, says: /it lets us in as pod-7 / }, `nats://${at}`, '--from', 'nats:pod-7');
  await doctor(world, { status: 20, says: /There is a node called beta already, at nats:beta/ }, `nats://${at}`,
    '--name', 'beta');
});

scenario('a node that another one does not hear any more', async (world) => {
  const at = await server(world);
  const [alpha, beta] = await world.cluster('alpha', 'beta', { nats: `nats://${at}` });
  beta.process.kill('SIGSTOP');
  await until('beta is silent', async () => (await alpha.peer('beta')).state === 'silent');
  await doctor(world, { status: 25, failed: 'node',
    says: /alpha, \w+, sees nobody; .* alpha does not see beta, which is silent .* process of beta stopped/ },
  `nats://${at}`);
  beta.process.kill('SIGCONT');
});

scenario('a server that is stopped after it has let the doctor in', async (world) => {
  const at = await server(world);
  const stopped = world.children.at(-1);
  const [alpha] = await world.cluster('alpha', 'beta', { nats: `nats://${at}` });
  const asking = wsfan(world, 'doctor', '--timeout', '4', `nats://${at}`);
  await until('the doctor has met alpha', async () =>
    (await alpha.stats()).peers.some(({ name, state }) => name.startsWith('wsfan-doctor') && state === 'up'));
  stopped.process.kill('SIGSTOP');
  const { exit, stdout } = await asking;
  stopped.process.kill('SIGCONT');
  assert.equal(exit.code, 26, stdout);
  assert.match(stdout.replace(/\s+/g, ' '), /Wrong: The connection to the server at .* fails\./);
});

scenario('another cluster: nobody is there', async (world) => {
  const at = await server(world);
  await world.replica({ name: 'alpha', nats: `nats://${at}` });
  await doctor(world, { status: 28, failed: 'nodes', says: /no node of the cluster other is there\. .*--cluster NAME/ },
    `nats://${at}`, '--cluster', 'other');
});

scenario('no server, or something else', async (world) => {
  await doctor(world, { status: 11, failed: 'tcp', says: /Nobody listens at .* Is nats-server running/ },
    `nats://127.0.0.1:${await freePort()}`);
  await doctor(world, { status: 10, failed: 'name', says: /does not resolve/ }, 'nats://no-such-server.invalid');
  const web = http.createServer().listen(0, '127.0.0.1');
  world.closing(() => web.close());
  await once(web, 'listening');
  await doctor(world, { status: 13, failed: 'nats', says: /it says nothing .* is no server of NATS/ },
    `nats://127.0.0.1:${web.address().port}`, '--timeout', '1');
  for (const [info, says] of [['{"max_payload":0}', /it says "INFO {"max_payload":0}" .* is no server of NATS\. /],
    ['{"max_payload":-1}', /is no server of NATS\. /], ['{rubbish\x1b[31m', /it says "INFO {rubbish\?\[31m" /]])
    await doctor(world, { status: 13, failed: 'nats', says }, `nats://${await says_only(world, `INFO ${info}\r\n`)}`);
  const alpha = await node(world);
  await doctor(world, { status: 13, failed: 'nats', says: /is no server of NATS.* ask by tcp:/ },
    alpha.endpoint.replace('tcp:', 'nats:'), '--timeout', '1');
  await end(alpha);
});

scenario('wrong credentials, none, and subjects that are not permitted', async (world) => {
  const at = await server(world, `authorization { users: [
    { user: all, password: right }
    { user: pod, password: right, permissions: {
      publish: ["wsfan.wsfan.f.pod-0.*", "wsfan.wsfan.h.pod-0"], subscribe: ["wsfan.wsfan.f.*.pod-0", "wsfan.wsfan.h.*"] } }
    { user: mute, password: right, permissions: { publish: "nothing" } }
    { user: voiceless, password: right, permissions: { publish: { deny: "wsfan.wsfan.f.>" } } } ] }`);
  await world.cluster('alpha', 'beta', { nats: `nats://all:right@${at}` });
  await doctor(world, { status: 15, failed: 'login', says: /asks who connects\. .*--nats-creds FILE/ }, `nats://${at}`);
  const { stdout } = await doctor(world, { status: 17, failed: 'login', says: /does not accept our credentials\./ },
    `nats://all:wrong@${at}`);
  assert.ok(!stdout.includes('wrong'), stdout);
  await doctor(world, { status: 17, failed: 'subjects', says: /not permit .* Permit this user to publish on wsfan\.wsfan\.f\./ },
    `nats://pod:right@${at}`);
  await doctor(world, { status: 17, failed: 'subjects', says: /Violation for Publish to "wsfan\.wsfan\.[fh]\./ },
    `nats://mute:right@${at}`);
  await doctor(world, { status: 17, failed: 'subjects', says: /Violation for Publish to "wsfan\.wsfan\.f\./ },
    `nats://voiceless:right@${at}`);
  await doctor(world, { status: 0, says: /as pod-0 .* node alpha/ }, `nats://pod:right@${at}`, '--from', 'nats:pod-0');
});

scenario('each of several servers is told of', async (world) => {
  const nobody = `127.0.0.1:${await freePort()}`;
  const { exit, stdout } = await wsfan(world, 'doctor', '--timeout', '1', `nats://${nobody}`, `nats://${await server(world)}`);
  assert.equal(exit.code, 11);
  assert.match(stdout, /FAILED +tcp[^]*FAILED +nodes[^]*Nobody listens[^]*no node of the cluster wsfan is there/);
});

scenario('a server that asks for TLS, or for nothing, and says no more', async (world) => {
  const before = process.env.LSAN_OPTIONS ?? '';
  world.closing(() => { process.env.LSAN_OPTIONS = before; });
  process.env.LSAN_OPTIONS = `suppressions=${root}tests/nats/lsan.supp`;
  for (const tls of [true, false]) {
    const at = await says_only(world, `INFO {"server_id":"M","version":"2.9.10","tls_required":${tls},"max_payload":1048576}\r\n`);
    await doctor(world, { status: 26, failed: 'login', says: /The connection to the server at .* fails/ },
      `${tls ? 'tls' : 'nats'}://${at}`, '--timeout', '1');
  }
});

scenario('a max_payload that is too small', async (world) => {
  const at = await server(world);
  await doctor(world, { status: 27, failed: 'payload', says: /max_payload .* too small .* payload_bytes_max of 1048576\. .*--payload/ },
    `nats://${at}`, '--payload', '1048576');
});

scenario('TLS: none here, none there, a certificate that is not known, and one that is', async (world) => {
  const path = directory(world);
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2',
    '-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', `${path}/key.pem`, '-out', `${path}/cert.pem`],
  { stdio: 'ignore' });
  const at = await server(world, `tls { cert_file: "${path}/cert.pem", key_file: "${path}/key.pem" }`);
  await doctor(world, { status: 15, failed: 'tls', says: /asks for TLS\. .*Write tls:/ }, `nats://${at}`);
  await doctor(world, { status: 16, failed: 'tls', says: /no TLS with the server .*--nats-ca/ }, `tls://${at}`);
  await doctor(world, { status: 28, failed: 'nodes', says: /ok login / }, `tls://${at}`, '--nats-ca', `${path}/cert.pem`);
  await doctor(world, { status: 14, failed: 'tls', says: /the server at .* has none/ }, `tls://${await server(world)}`);
});

scenario('arguments that are wrong', async (world) => {
  for (const [says, ...args] of [
    [/each is an ENDPOINT by itself/, 'nats://a:1,nats://b:1'],
    [/over NATS it must be nats:NAME/, 'nats://127.0.0.1:1', '--from', 'tcp://127.0.0.1:*'],
    [/--nats-creds .*: No such file/, 'nats://127.0.0.1:1', '--nats-creds', '/nowhere'],
    [/--nats-nkey and --nats-nkey-file/, 'nats://127.0.0.1:1', '--nats-nkey', 'U'],
  ]) {
    const { exit, stderr } = await wsfan(world, 'doctor', ...args);
    assert.equal(exit.code, 2, stderr);
    assert.match(stderr, says);
  }
});
