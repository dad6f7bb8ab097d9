// Starts real processes for the cluster and browser tests, and ends them again. Nothing from npm.
//
//   scenario('what must hold', async (world) => { const alpha = await world.replica(); ... })
//
// A scenario owns its processes. When it has passed, each replica that still runs must end on
// SIGTERM with status 0, so that a sanitizer can have its say; when it fails, their output is
// printed. In any case nothing is left running. Ports are free ones that the programs choose, so
// scenarios can run side by side.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import net from 'node:net';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../..', import.meta.url));
export const binary = process.env.ECHO_CHAT || `${root}build/examples/echo-chat/echo-chat`;

// The mesh is over the server of this path.
export const overNats = process.env.MESH_NATS_SERVER;

// They end what hangs, and say nothing of what is fast enough: on a machine with ten times more to do than processors a browser
// takes half a minute for what it else does in one second.
export const DEADLINE_MS = 60000;
const SCENARIO_MS = 240000;

// For scenarios that wait for a replica to be down, or for a member to have left: sooner than by default.
export const SOON = { args: ['--down', '4', '--grace', '2'] };

export const scenario = (name, body) => test(name, { timeout: SCENARIO_MS }, async () => {
  const world = new World();
  try {
    await body(world);
    await world.stop();
  } catch (error) {
    for (const child of world.children) console.error(child.story());
    throw error;
  } finally {
    await world.end();
  }
});

// Waits until `condition` returns something true, and returns that. `what`: a text, or a function of one.
export async function until(what, condition, ms = DEADLINE_MS) {
  const deadline = Date.now() + ms;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > deadline)
      assert.fail(`not within ${ms} ms: ${typeof what === 'function' ? what() : what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

// Of those that no connection is given: nobody takes it before its server does, however late that comes.
const given = new Set();
export async function freePort() {
  for (;;) {
    const listener = net.createServer();
    const port = randomInt(15000, 32000);
    if (given.has(port)) continue;
    const free = await new Promise((resolve) => {
      listener.on('error', () => resolve(false)).listen(port, '127.0.0.1', () => resolve(true));
    });
    if (!free) continue;
    listener.close();
    await once(listener, 'close');
    given.add(port);
    return port;
  }
}

const listens = (port) => new Promise((resolve) => {
  const socket = net.connect(port, '127.0.0.1');
  socket.on('connect', () => { socket.destroy(); resolve(true); });
  socket.on('error', () => resolve(false));
});

export class Child {
  constructor(command, args, options) {
    this.command = [command, ...args].join(' ');
    this.stdout = '';
    this.stderr = '';
    this.exit = null; // { code, signal }
    this.process = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
    this.process.stdout.on('data', (data) => { this.stdout += data; });
    this.process.stderr.on('data', (data) => { this.stderr += data; });
    this.exited = new Promise((resolve) => {
      this.process.on('error', (error) => { this.stderr += error; resolve(this.exit = {}); });
      this.process.on('close', (code, signal) => resolve(this.exit = { code, signal }));
    });
  }

  async kill(signal) {
    this.process.kill(signal);
    return this.exited;
  }

  // The first match of `pattern` in what it prints.
  async printed(pattern) {
    const found = await until(`${this.command} prints ${pattern}`,
      () => pattern.exec(this.stdout) || this.exit);
    assert.ok(Array.isArray(found), `it ended: ${this.story()}`);
    return found;
  }

  story() {
    return `--- ${this.command} (pid ${this.process.pid}, ${JSON.stringify(this.exit)})\n` +
      `${this.stdout}${this.stderr}`;
  }
}

export class Replica extends Child {
  // descriptors: a limit of them, hard and soft; nats: its servers, in place of a mesh
  constructor({ name, listen = '127.0.0.1:0', mesh = 'tcp://127.0.0.1:*', joins = [], nats, args: more = [],
    headers, descriptors }) {
    const args = ['--listen', listen];
    if (name) args.push('--name', name);
    if (nats) args.push('--nats', nats);
    else if (mesh) args.push('--mesh', mesh);
    for (const join of nats ? [] : joins) args.push('--join', join);
    if (!more.includes('--log-level')) args.push('--log-level', 'none'); // stderr is for what is wrong
    args.push(...more);
    if (descriptors)
      super('sh', ['-c', `ulimit -n ${descriptors} && exec "$0" "$@"`, binary, ...args]);
    else super(binary, args);
    this.headers = headers; // of requests for statistics: a token
  }

  async ready() {
    const [, name, page, mesh] = await this.printed(/^ready: node (.*), page (.*), mesh (.*)$/m);
    const { host, protocol } = new URL(page);
    Object.assign(this, { name, page, mesh, host, scheme: protocol === 'https:' ? 'wss' : 'ws' });
    return this;
  }

  async stats() {
    const response = await fetch(new URL('stats', this.page), { headers: this.headers });
    assert.equal(response.status, 200);
    return response.json();
  }

  async peer(name) {
    return (await this.stats()).peers.find((peer) => peer.name === name);
  }

  address(chat, user) {
    return `${this.scheme}://${this.host}/ws?${new URLSearchParams({ chat, user })}`;
  }
}

export class World {
  children = [];
  closers = [];

  run(command, args, options) {
    const child = new Child(command, args, options);
    this.children.push(child);
    return child;
  }

  // The same scenarios run over NATS, where the environment names a server's program.
  async replica(options = {}) {
    const elsewhere = 'mesh' in options && !options.mesh?.startsWith('nats:');
    const nats = overNats && !elsewhere ? await this.nats() : undefined;
    const replica = new Replica({ nats, ...options });
    this.children.push(replica);
    await replica.ready();
    // It looks for others first, also where it is the first.
    if (nats) await until(`${replica.name} is ready`, async () => (await fetch(new URL('readyz', replica.page))).ok);
    return replica;
  }

  // A server of NATS, the same for all replicas.
  async nats() {
    if (!this.port) {
      this.port = await freePort();
      this.run(overNats, ['-a', '127.0.0.1', '-p', `${this.port}`]);
    }
    await until('a server of NATS listens', () => listens(this.port));
    return `nats://127.0.0.1:${this.port}`;
  }

  // Replicas that each see all the others; only the first one is named to them. The last argument
  // may be options that all of them have.
  async cluster(...names) {
    const options = typeof names.at(-1) === 'object' ? names.pop() : {};
    const replicas = [];
    for (const name of names)
      replicas.push(await this.replica({ name, joins: replicas.slice(0, 1).map((r) => r.mesh),
        ...options }));
    await meshed(replicas);
    return replicas;
  }

  // Things to close before the processes: browsers, clients.
  closing(close) {
    this.closers.push(close);
  }

  async close() {
    for (const close of this.closers.splice(0).reverse()) await close();
  }

  async stop() {
    await this.close();
    const running = this.children.filter((child) => child instanceof Replica && !child.exit);
    for (const replica of running) replica.process.kill('SIGTERM');
    for (const replica of running) {
      const exit = await until(`${replica.name} ends`, () => replica.exit);
      assert.deepEqual(exit, { code: 0, signal: null });
      assert.equal(replica.stderr, '');
    }
  }

  async end() {
    await this.close();
    await Promise.all(this.children.map((child) => child.kill('SIGKILL')));
  }
}

export async function meshed(replicas) {
  for (const replica of replicas)
    await until(`${replica.name} sees the others up`, async () => {
      const up = (await replica.stats()).peers.filter((peer) => peer.state === 'up');
      const names = up.map((peer) => peer.name);
      return replicas.every((other) => other === replica || names.includes(other.name));
    });
}

if (!existsSync(binary))
  throw new Error(`there is no ${binary}: build echo-chat, or name it in ECHO_CHAT`);
