// echo-chat and thin-client keep RFC 6455, RFC 9110 and RFC 9112: the tables, plain, over TLS, and through the
// balancers of examples/balancers.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { haproxy, nginx } from '../cluster/balancers.mjs';
import { root, scenario } from '../cluster/replica.mjs';
import { runTables, summary, tell } from './runner.mjs';
import { chatAt, thinAt, TOKEN } from './servers.mjs';
import { tables, tablesWithoutWebSocket } from './tables.mjs';

const thinClient = process.env.THIN_CLIENT || `${root}build/examples/thin-client/thin-client`;

function folder(world) {
  const path = mkdtempSync(join(tmpdir(), 'wsfan-conformance-'));
  world.closing(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

function certificate(path) {
  const [cert, key] = [join(path, 'cert.pem'), join(path, 'key.pem')];
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes',
    '-keyout', key, '-out', cert, '-days', '1', '-subj', '/CN=localhost'], { stdio: 'ignore' });
  return [cert, key];
}

function chat(world, args = []) {
  const token = join(folder(world), 'token');
  writeFileSync(token, `${TOKEN}\n`);
  return world.replica({ name: 'alpha', args: ['--publish-token', token, ...args] });
}

async function thin(world) {
  const alpha = await world.replica({ name: 'alpha' });
  const child = world.run(thinClient, ['--store', join(folder(world), 'store'), '--sockets', 'ws://127.0.0.1:1',
    '--listen', '0', '--mesh', 'tcp://127.0.0.1:*', '--join', alpha.mesh]);
  const [, page] = await child.printed(/^ready: page (\S+)$/m);
  return { page, end: async () => assert.deepEqual(await child.kill('SIGTERM'), { code: 0, signal: null }) };
}

async function hold(server, which, way, packets) {
  const results = await runTables(server, Object.values(which), { way, packets });
  const against = results.filter(({ verdict }) => verdict !== 'good');
  console.log(`${way}: ${summary(results)}`);
  assert.ok(against.length === 0, `\n${against.map(tell).join('\n')}\n${summary(results)}`);
}

scenario('echo-chat keeps the standards', async (world) => {
  const { page } = await chat(world);
  await hold(chatAt(page), tables, 'plain');
});

// However the bytes are divided, they mean the same; with two threads, too.
for (const [packets, threads] of [['bytes', '1'], ['gathered', '2']])
  scenario(`echo-chat keeps the standards, ${packets === 'bytes' ? 'in packets of few bytes' : 'all in one packet'}, ` +
    `threads: ${threads}`, async (world) => {
    const { page } = await chat(world, ['--threads', threads]);
    await hold(chatAt(page), tables, 'plain', packets);
  });

scenario('echo-chat keeps the standards over TLS', async (world) => {
  const [cert, key] = certificate(folder(world));
  const { page } = await chat(world, ['--tls-cert', cert, '--tls-key', key]);
  await hold(chatAt(page), tables, 'tls');
});

for (const [way, start] of Object.entries({ haproxy, nginx }))
  scenario(`echo-chat keeps the standards through ${way}`, async (world) => {
    const alpha = await chat(world);
    const { host } = await start(world, [alpha, alpha, alpha]);
    await hold(chatAt(`http://${host}/`), tables, way);
  });

scenario('thin-client keeps the standards', async (world) => {
  const { page, end } = await thin(world);
  await hold(thinAt(page), tablesWithoutWebSocket, 'plain');
  await end();
});
