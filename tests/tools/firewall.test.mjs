// Packet filters between nodes, and what `wsfan doctor` says. In a network of its own.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';

import { freePort } from '../cluster/replica.mjs';
import { doctor, end, met, node, objects, scenario, wsfan } from './programs.mjs';

const nft = (...words) => execFileSync('nft', words, { stdio: ['ignore', 'ignore', 'inherit'] });

assert.equal(process.env.WSFAN_INSIDE, 'yes', 'start it by tests/discovery/namespace.sh');

// What comes in for this port is swallowed.
function swallow(port, ...which) {
  nft('add', 'table', 'inet', 'wall');
  nft('add', 'chain', 'inet', 'wall', 'in', '{ type filter hook input priority 0; }');
  nft('add', 'rule', 'inet', 'wall', 'in', 'tcp', 'dport', `${port}`, ...which, 'drop');
}

scenario('a firewall that lets through one way only', async (world) => {
  const alpha = await node(world, 'name=alpha');
  const port = await freePort();
  swallow(port);
  await doctor(world, { status: 23, failed: 'back', says: /alpha .*hears us, and does not reach us at .*firewall/ },
    alpha.endpoint, '--from', `tcp://127.0.0.1:${port}`);
  nft('delete', 'table', 'inet', 'wall');
  await doctor(world, { status: 0, says: /All is well/ }, alpha.endpoint, '--from', `tcp://127.0.0.1:${port}`);
  await end(alpha);
});

scenario('a firewall that swallows everything', async (world) => {
  const alpha = await node(world, 'name=alpha');
  swallow(new URL(alpha.endpoint).port);
  await doctor(world, { status: 12, failed: 'tcp', says: /a packet filter swallows/ }, alpha.endpoint);
  nft('delete', 'table', 'inet', 'wall');
  await end(alpha);
});

scenario('a node that this program does not reach is missing from lists, which is told', async (world) => {
  const alpha = await node(world, 'name=alpha');
  const beta = await node(world, 'name=beta', `peer=${alpha.endpoint}`, 'lobby:ann');
  await met(alpha, beta);
  swallow(new URL(beta.endpoint).port, 'tcp', 'flags', '&', '(syn|ack)', '==', 'syn');
  const child = await wsfan(world, 'nodes', '--json', '--join', alpha.endpoint, '--timeout', '1');
  assert.equal(child.exit.code, 4, child.story());
  assert.match(child.stderr, /some nodes were not met, or do not reach this program at tcp:/);
  assert.ok(objects(child).some((one) => one.node === 'alpha' && one.state === 'up'));
  assert.ok(objects(child).every((one) => one.node !== 'beta' || one.state !== 'up'));
  const told = await wsfan(world, 'publish', 'lobby', 'x', '--join', alpha.endpoint, '--timeout', '1');
  assert.equal(told.exit.code, 4, told.story());
  await doctor(world, { status: 0, says: /some that it has met do not answer here/ }, alpha.endpoint);
  nft('delete', 'table', 'inet', 'wall');
  await end(alpha, beta);
});
