// Nodes and `wsfan`, as processes of a scenario of the cluster tests.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { scenario, until } from '../cluster/replica.mjs';

export { scenario, until };

const build = process.env.BUILD || '../../build/plain';
export const binary = process.env.WSFAN || `${build}/tools/wsfan`;
const nodeBinary = process.env.WSFAN_NODE || `${build}/tests/tools/wsfan-node`;
const futureBinary = process.env.WSFAN_FUTURE || `${build}/tests/tools/wsfan-future`;
const liarBinary = process.env.WSFAN_LIAR || `${build}/tests/tools/wsfan-liar`;
const piped = { stdio: ['pipe', 'pipe', 'pipe'] };

// A node that is ready: its options as name=value, its sessions as chat:user.
export const node = (world, ...args) => ready(world, nodeBinary, args);

// A node of a version to come.
export const future = (world) => ready(world, futureBinary, []);

// A node whose list of statistics has no end.
export const liar = (world, ...args) => ready(world, liarBinary, args);

async function ready(world, program, args) {
  const child = world.run(program, args, piped);
  [, child.endpoint] = await child.printed(/^ready (.*)$/m);
  return child;
}

// It ends well: a sanitizer has had its say.
export async function end(...nodes) {
  for (const child of nodes) child.process.stdin.end();
  for (const child of nodes) {
    await child.exited;
    assert.deepEqual(child.exit, { code: 0, signal: null }, child.story());
  }
}

// `wsfan` while it runs.
export const start = (world, ...args) => world.run(binary, args, piped);

// `wsfan` when it has ended.
export async function wsfan(world, ...args) {
  const child = start(world, ...args);
  child.process.stdin.end();
  await child.exited;
  return child;
}

// Its objects, one a line.
export const objects = (child) => child.stdout.trim().split('\n').filter((line) => line !== '')
  .map((line) => JSON.parse(line));

// A directory of the scenario.
export function directory(world) {
  const path = mkdtempSync(join(tmpdir(), 'wsfan-tool-'));
  world.closing(() => rmSync(path, { recursive: true }));
  return path;
}

// Until both have a link.
export const met = (...nodes) => Promise.all(nodes.map((one) => one.printed(/^peer \S* up$/m)));

// What the doctor says, of a node or nodes; each step must be `ok` or the one that fails.
export async function doctor(world, { status, failed, says }, ...args) {
  const child = await wsfan(world, 'doctor', '--timeout', '3', ...args);
  assert.equal(child.exit.code, status, child.story());
  const text = child.stdout.replace(/\s+/g, ' ');
  assert.match(text, says, child.story());
  const failures = [...child.stdout.matchAll(/^ {2}FAILED +(\w+)/gm)].map((match) => match[1]);
  assert.deepEqual(failures, failed ? [failed] : [], child.story());
  return child;
}
