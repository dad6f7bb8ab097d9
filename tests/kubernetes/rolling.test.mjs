// The topology of examples/kubernetes without a cluster: each pod a network namespace with an address
// of its own, dnsmasq as the headless service's DNS, HAProxy as the clients' service, which asks DNS
// for the pods and each pod for its readiness. Pods come back under their name with a new address.
// Run it inside tests/discovery/namespace.sh.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import WebSocket from 'ws';
import { binary, scenario, until } from '../cluster/replica.mjs';

const { SCRATCH } = process.env;
const GATEWAY = '10.77.0.1';
const SERVICE = `http://${GATEWAY}:80`;
const DRAIN_S = 2;
const env = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` };
const sh = (line) => execFileSync('sh', ['-c', line], { env, stdio: ['ignore', 'pipe', 'pipe'] });

class Cluster {
  pods = new Map(); // name -> { child, address, netns }
  next = 10;

  constructor(world) {
    this.world = world;
    this.hosts = join(SCRATCH, 'hosts');
    writeFileSync(this.hosts, '');
    sh(`mkdir -p /run/netns && mount -t tmpfs none /run/netns
      ip link add br0 type bridge && ip address add ${GATEWAY}/16 dev br0 && ip link set br0 up`);
    writeFileSync(join(SCRATCH, 'resolv.conf'), `nameserver ${GATEWAY}\n`);
    this.dns = world.run('dnsmasq', ['--keep-in-foreground', '--no-resolv', '--no-hosts',
      '--conf-file=/dev/null', '--user=root', '--pid-file=', `--listen-address=${GATEWAY}`,
      '--bind-interfaces', `--addn-hosts=${this.hosts}`, '--local-ttl=1', '--local=/chat-mesh/', '--log-facility=-'], { env });
    writeFileSync(join(SCRATCH, 'haproxy.cfg'), `
global
  maxconn 2000
resolvers cluster
  nameserver dns ${GATEWAY}:53
  hold valid 300ms
  hold obsolete 0s
  resolve_retries 3
  timeout resolve 300ms
  timeout retry 300ms
defaults
  mode http
  timeout connect 1s
  timeout client 60s
  timeout server 60s
  timeout tunnel 60s
  retries 3
  option redispatch 1
frontend service
  bind ${GATEWAY}:80
  default_backend pods
backend pods
  balance roundrobin
  option httpchk GET /readyz
  http-check expect status 200
  default-server inter 200ms fall 1 rise 1
  server-template pod 5 chat-mesh:8080 check resolvers cluster init-addr none
`);
    this.service = world.run('haproxy', ['-db', '-f', join(SCRATCH, 'haproxy.cfg')], { env });
  }

  // Before dnsmasq has started SIGHUP ends it.
  static async open(world) {
    const cluster = new Cluster(world);
    await until('dnsmasq has started', () => cluster.dns.exit || /started, version/.test(cluster.dns.stderr));
    return cluster;
  }

  // What the headless service answers: all pods, ready or not.
  publish() {
    const lines = [...this.pods.values()].map(({ address }) => `${address} chat-mesh\n`);
    writeFileSync(`${this.hosts}.new`, lines.join(''));
    renameSync(`${this.hosts}.new`, this.hosts);
    this.dns.process.kill('SIGHUP');
  }

  start(name) {
    const number = this.next++;
    const address = `10.77.0.${number}`;
    const netns = `pod${number}`;
    sh(`ip netns add ${netns}
      ip link add veth${number} type veth peer name eth0 netns ${netns}
      ip link set veth${number} master br0 up
      ip -n ${netns} link set lo up
      ip -n ${netns} address add ${address}/16 dev eth0 && ip -n ${netns} link set eth0 up`);
    const child = this.world.run('ip', ['netns', 'exec', netns, binary, '--listen',
      `${address}:8080`, '--mesh', 'tcp://*:7000', '--insecure', '--join', 'dns://chat-mesh:7000', '--name', name,
      '--drain', `${DRAIN_S}`], { env });
    this.pods.set(name, { child, address, netns });
    this.publish();
  }

  async ready(name) {
    const { child, address } = this.pods.get(name);
    await until(`${name} is ready`, () => child.exit ||
      fetch(`http://${address}:8080/readyz`).then(({ ok }) => ok, () => false), 60000);
    assert.equal(child.exit, null, child.story());
  }

  async stop(name) {
    const { child, netns } = this.pods.get(name);
    assert.deepEqual(await child.kill('SIGTERM'), { code: 0, signal: null }, child.story());
    assert.equal(child.stderr.replace(/^\S+Z warning .*\n/gm, ''), '');
    this.pods.delete(name);
    this.publish();
    sh(`ip netns delete ${netns}`);
  }

  stats(name) {
    return fetch(`http://${this.pods.get(name).address}:8080/stats`).then((r) => r.json());
  }
}

// One user: connects again whenever it is cut off, speaks all the time, and notes what it hears.
class User {
  visits = []; // of one connection each: { node, session, joined, closed, heard: [] }
  sent = [];   // { text, at, visit }
  stopped = false;
  strandedMs = 0; // the longest time without being joined
  count = 0;

  constructor(world, name) {
    this.name = name;
    this.away = Date.now();
    world.closing(() => this.stop());
    this.connect();
  }

  connect() {
    if (this.stopped) return;
    const visit = { heard: [], joined: 0, closed: 0 };
    const query = new URLSearchParams({ chat: 'load', user: this.name });
    const socket = new WebSocket(`${SERVICE.replace('http', 'ws')}/ws?${query}`,
      { perMessageDeflate: false, handshakeTimeout: 3000 });
    this.socket = socket;
    socket.on('error', () => {});
    socket.on('message', (data) => this.hear(visit, JSON.parse(data)));
    socket.on('close', () => {
      visit.closed = Date.now();
      if (visit.joined) this.away = Date.now();
      setTimeout(() => this.connect(), 20 + Math.random() * 100);
    });
  }

  hear(visit, frame) {
    if (frame.type === 'welcome') Object.assign(visit, { session: frame.session, node: frame.node });
    if (frame.type === 'gap') visit.gaps = (visit.gaps || 0) + 1;
    if (frame.type === 'message') visit.heard.push(frame.text);
    if (frame.type === 'joined' && frame.session === visit.session) {
      visit.joined = Date.now();
      this.strandedMs = Math.max(this.strandedMs, visit.joined - this.away);
      this.visits.push(visit);
    }
  }

  get visit() {
    return this.visits.find((visit) => visit.joined && !visit.closed);
  }

  speak() {
    const { visit } = this;
    if (!visit || this.socket.readyState !== WebSocket.OPEN) return;
    const text = `${this.name} ${this.visits.length} ${this.count++}`;
    this.sent.push({ text, at: Date.now(), visit });
    this.socket.send(text);
  }

  stop() {
    this.stopped = true;
    this.socket.terminate();
  }
}

// Of a connection that a replica closes, the last second is its "moment of reconnect": the replica has
// taken it out of the chat before the client sees the close.
const MOMENT_MS = 1000;

function check(users) {
  const heard = new Set(users.flatMap((user) => user.visits.flatMap((visit) => visit.heard)));
  let checked = 0;
  for (const user of users)
    for (const visit of user.visits) {
      const from = visit.joined;
      const until_ = (visit.closed || Infinity) - MOMENT_MS;
      const got = new Set(visit.heard);
      assert.equal(got.size, visit.heard.length, `${user.name} heard something twice`);
      for (const sender of users) {
        for (const { text, at, visit: its } of sender.sent) {
          if (at <= from || at >= until_) continue;
          const cut = its.closed && at >= its.closed - MOMENT_MS && !heard.has(text);
          if (cut) continue; // said while the sender itself was being closed
          assert.ok(got.has(text), `${user.name} on ${visit.node} (from ${from} to ${visit.closed}) ` +
            `missed "${text}" of ${sender.name} on ${its.node} (from ${its.joined} to ` +
            `${its.closed}) at ${at}, which was heard by ${users.filter((other) =>
              other.visits.some((v) => v.heard.includes(text))).map((other) => other.name)}`);
          checked++;
        }
        // In order, and without a hole between the first and the last of each connection.
        const numbers = new Map();
        for (const text of visit.heard) {
          const [name, stay, number] = text.split(' ');
          if (name !== sender.name) continue;
          const last = numbers.get(stay);
          assert.ok(last === undefined || Number(number) === last + 1,
            `${user.name} heard ${text} after ${last}`);
          numbers.set(stay, Number(number));
        }
      }
      assert.equal(visit.gaps, undefined);
    }
  return checked;
}

scenario('a rolling restart under load strands nobody and loses nothing between the connected',
  async (world) => {
    const cluster = await Cluster.open(world);
    const names = ['chat-0', 'chat-1', 'chat-2'];
    for (const name of names) cluster.start(name); // all at once, as podManagementPolicy: Parallel
    for (const name of names) await cluster.ready(name);
    const meshed = (list) => until('all see each other', async () => {
      for (const name of list) if ((await cluster.stats(name)).peers_up !== list.length - 1) return false;
      return true;
    });
    await meshed(names);
    const reached = new Set();
    await until('the service leads to all', async () => {
      const answer = await fetch(`${SERVICE}/healthz`).catch(() => null);
      if (answer?.ok) reached.add((await answer.json()).node);
      return reached.size === names.length;
    });

    const users = Array.from({ length: 12 }, (_, i) => new User(world, `user${i}`));
    await until('all are in', () => users.every((user) => user.visit));
    const load = setInterval(() => users.forEach((user) => user.speak()), 25);
    world.closing(() => clearInterval(load));
    const onAll = new Set(users.map((user) => user.visit.node));
    assert.equal(onAll.size, 3);

    const before = new Map([...cluster.pods].map(([name, { address }]) => [name, address]));
    for (const name of [...names].reverse()) { // as a StatefulSet does it
      await cluster.stop(name);
      cluster.start(name);
      await cluster.ready(name);
      await meshed(names);
    }
    for (const name of names) assert.notEqual(cluster.pods.get(name).address, before.get(name));
    await until('all are in again', () => users.every((user) => user.visit));
    for (const user of users) { // and all hear all
      const mark = user.sent.length;
      await until('it speaks', () => user.sent.length > mark + 5);
    }
    clearInterval(load);
    const last = users.map((user) => user.sent.at(-1));
    await until('the last words are heard by all', () =>
      users.every((user) => last.every(({ text, visit }) => visit.closed || user.visit?.heard.includes(text))));

    const checked = check(users);
    const visits = users.reduce((sum, user) => sum + user.visits.length, 0);
    assert.ok(visits >= users.length + 12, `${visits} connections: too few were cut off`);
    assert.ok(checked > 10000, `${checked} deliveries were checked`);
    const stranded = Math.max(...users.map((user) => user.strandedMs));
    assert.ok(stranded < 15000, `somebody was away for ${stranded} ms`);
    console.log(`${checked} deliveries checked, ${visits} connections, longest away ${stranded} ms`);
    for (const name of names) await cluster.stop(name);
  });

scenario('pods that come and go with new addresses leave nothing behind', async (world) => {
  sh('ip link delete br0 && umount /run/netns');
  const cluster = await Cluster.open(world);
  cluster.start('chat-0'); // the first one is alone, and its name leads to itself
  await cluster.ready('chat-0');
  cluster.start('chat-1');
  cluster.start('chat-2');
  for (const name of ['chat-1', 'chat-2']) await cluster.ready(name);
  for (let round = 0; round < 3; round++) {
    await cluster.stop('chat-2');
    cluster.start('chat-2');
    await cluster.ready('chat-2');
  }
  await until('each knows the two others, and nobody who is gone', async () => {
    for (const name of ['chat-0', 'chat-1', 'chat-2']) {
      const { peers, endpoints } = await cluster.stats(name);
      if (peers.length !== 2 || peers.some(({ state }) => state !== 'up') || endpoints > 3) return false;
    }
    return true;
  }, 60000);
  for (const name of ['chat-0', 'chat-1', 'chat-2']) await cluster.stop(name);
});
