// The mistakes that keep nodes apart, each made with real nodes, and what `wsfan doctor` says of it.

import assert from 'node:assert/strict';
import http from 'node:http';
import net from 'node:net';
import { once } from 'node:events';
import { readFileSync, renameSync } from 'node:fs';

import { freePort } from '../cluster/replica.mjs';
import { directory, doctor, end, met, node, objects, scenario, wsfan } from './programs.mjs';

scenario('where all is well the doctor says so, and whom the node has met', async (world) => {
  const alpha = await node(world, 'name=alpha');
  const beta = await node(world, 'name=beta', `peer=${alpha.endpoint}`);
  await met(alpha, beta);
  await doctor(world, { status: 0, says: /it is alpha, .* it has met beta .*All is well/ }, alpha.endpoint);
  await doctor(world, { status: 0, says: /it has met beta .* it has met alpha .*All is well/ },
    alpha.endpoint, beta.endpoint);
  const told = objects(await wsfan(world, 'doctor', '--json', alpha.endpoint));
  assert.deepEqual(told.map((step) => step.result), Array(6).fill('ok'));
  assert.ok(told.every((step) => step.endpoint === alpha.endpoint));
  await end(alpha, beta);
});

scenario('what this machine cannot do is told, and is no diagnosis', async (world) => {
  const alpha = await node(world);
  const taken = await wsfan(world, 'doctor', alpha.endpoint, '--from', alpha.endpoint);
  assert.equal(taken.exit.code, 1, taken.story());
  assert.match(taken.stderr, /in use by another socket; leave --from out while your node runs there/);
  const nonsense = await wsfan(world, 'doctor', 'nonsense');
  assert.equal(nonsense.exit.code, 2, nonsense.story());
  await end(alpha);
});

scenario('a wrong port: nobody listens, or a web server does, or what says nothing', async (world) => {
  const nobody = `tcp://127.0.0.1:${await freePort()}`;
  await doctor(world, { status: 11, failed: 'tcp', says: /Nobody listens at .* Look at the port/ }, nobody);
  const web = http.createServer().listen(0, '127.0.0.1');
  const mute = net.createServer().listen(0, '127.0.0.1');
  world.closing(() => { web.close(); mute.close(); });
  await Promise.all([once(web, 'listening'), once(mute, 'listening')]);
  await doctor(world, { status: 13, failed: 'zmtp', says: /does not speak ZeroMQ: it is a web server/ },
    `tcp://127.0.0.1:${web.address().port}`);
  await doctor(world, { status: 13, failed: 'zmtp', says: /it says nothing .*does not speak ZeroMQ/ },
    `tcp://127.0.0.1:${mute.address().port}`);
});

scenario('a wrong key, and one that is not allowed', async (world) => {
  const path = directory(world);
  for (const name of ['mesh', 'other']) {
    const made = await wsfan(world, 'keygen', `${path}/${name}.key`);
    assert.equal(made.exit.code, 0, made.story());
  }
  const alpha = await node(world, 'name=alpha', `key_file=${path}/mesh.key`);
  await doctor(world, { status: 0, says: /key the node has the same/ }, alpha.endpoint, '--key',
    `${path}/mesh.key`);
  await doctor(world, { status: 16, failed: 'key', says: /has another key than .*other\.key\. .*same key file/ },
    alpha.endpoint, '--key', `${path}/other.key`);
  const own = /public-key = "(.*)"/.exec(readFileSync(`${path}/other.key`, 'utf8'))[1];
  const { stdout } = await doctor(world, { status: 17, failed: 'key', says: /does not allow yours/ },
    alpha.endpoint, '--key', `${path}/other.key`, '--allow', `${path}/mesh.key`);
  assert.ok(stdout.replace(/\s+/g, '').includes(own));
  renameSync(`${path}/other.key_secret`, `${path}/gone`);
  const half = await wsfan(world, 'doctor', alpha.endpoint, '--key', `${path}/other.key`);
  assert.equal(half.exit.code, 2);
  assert.match(half.stderr, /FILE_secret is missing/);
  await end(alpha);
});

scenario('what asks for a key and then says that more is coming than there is memory', async (world) => {
  const path = directory(world);
  assert.equal((await wsfan(world, 'keygen', `${path}/mesh.key`)).exit.code, 0);
  const greeting = Buffer.alloc(64);
  greeting.set([0xFF, 0, 0, 0, 0, 0, 0, 0, 1, 0x7F, 3, 0, ...Buffer.from('CURVE')]);
  const command = Buffer.from([6, 0x40, 0, 0, 0, 0, 0, 0, 0, ...Buffer.alloc(64)]);
  const liar = net.createServer((socket) => {
    socket.on('error', () => {}).write(Buffer.concat([greeting, command]));
  }).listen(0, '127.0.0.1');
  world.closing(() => liar.close());
  await once(liar, 'listening');
  await doctor(world, { status: 16, failed: 'key', says: /has another key/ },
    `tcp://127.0.0.1:${liar.address().port}`, '--key', `${path}/mesh.key`);
});

scenario('a key against plain text, both ways', async (world) => {
  const path = directory(world);
  await wsfan(world, 'keygen', `${path}/mesh.key`);
  const keyed = await node(world, `key_file=${path}/mesh.key`);
  const plain = await node(world);
  await doctor(world, { status: 15, failed: 'key', says: /has a key, yours has none/ }, keyed.endpoint);
  await doctor(world, { status: 14, failed: 'key', says: /Your node has a key, the one at .* has none/ },
    plain.endpoint, '--key', `${path}/mesh.key`);
  await end(keyed, plain);
});

scenario('a name that does not resolve', async (world) => {
  await doctor(world, { status: 10, failed: 'name', says: /no-such-node\.invalid does not resolve here/ },
    'tcp://no-such-node.invalid:7000');
});

scenario('an address that others cannot reach, as behind NAT without advertise', async (world) => {
  const inside = `tcp://127.0.0.1:${await freePort()}`;
  const hidden = await node(world, 'name=hidden', `endpoint=${inside}`,
    `advertise=tcp://127.0.0.9:${await freePort()}`);
  await doctor(world, { status: 24, failed: 'address', says: /tells the others that it is at .*options\.advertise/ },
    inside);
  const alpha = await node(world, 'name=alpha');
  await doctor(world, { status: 23, failed: 'back', says: /alpha .* hears us, and does not reach us at/ },
    alpha.endpoint, '--advertise', `tcp://127.0.0.9:${await freePort()}`);
  await end(hidden, alpha);
});

scenario('two clusters', async (world) => {
  const alpha = await node(world, 'cluster=chat');
  await doctor(world, { status: 18, failed: 'cluster', says: /is in another cluster than wsfan/ },
    alpha.endpoint);
  await doctor(world, { status: 0, says: /cluster chat/ }, alpha.endpoint, '--cluster', 'chat');
  await end(alpha);
});

scenario('a name twice', async (world) => {
  const one = await node(world, 'name=same');
  const two = await node(world, 'name=same', `peer=${one.endpoint}`);
  await one.printed(/^peer same refused$/m);
  await doctor(world, { status: 20, says: /are both called same\. .*Give one of them another name/ },
    one.endpoint, two.endpoint);
  await doctor(world, { status: 20, says: /There is a node called same already/ }, one.endpoint,
    '--name', 'same');
  await doctor(world, { status: 0, says: /All is well/ }, one.endpoint, '--name', 'another');
  await end(one, two);
});

scenario('a forgotten peers_count: the nodes are well and have not met', async (world) => {
  const alpha = await node(world, 'name=alpha');
  const beta = await node(world, 'name=beta', `peer=${alpha.endpoint}`, 'peers_count=0');
  await doctor(world, { status: 0, says: /it has met no other node\. .*peers_count/ }, beta.endpoint);
  await doctor(world, { status: 25, says: /have not met\. .* nobody at all, .* options\.peers_count/ },
    alpha.endpoint, beta.endpoint);
  await end(alpha, beta);
});

scenario('a node that has as many peers as it may have', async (world) => {
  const alpha = await node(world, 'name=alpha', 'peers_count_max=1');
  const beta = await node(world, 'name=beta', `peer=${alpha.endpoint}`);
  await met(alpha, beta);
  await doctor(world, { status: 21, failed: 'hello', says: /its peers_count_max is reached/ }, alpha.endpoint);
  await end(alpha, beta);
});

scenario('a process that is stopped', async (world) => {
  const alpha = await node(world);
  alpha.process.kill('SIGSTOP');
  await doctor(world, { status: 13, failed: 'zmtp', says: /it says nothing .*its process is stopped/ },
    alpha.endpoint, '--timeout', '1');
  alpha.process.kill('SIGCONT');
  await end(alpha);
});
