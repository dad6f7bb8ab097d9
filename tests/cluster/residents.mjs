// Clients that keep to the rules, of the `ws` package, while others storm the same servers and chats. Some stay: each
// numbers what it says, and whoever is in its chat must get every number once, in order, and stay connected. Some come
// and go: each must be let in, hear itself, and be closed as it asks to be.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import WebSocket from 'ws';
import { until } from './replica.mjs';

const SAY_EVERY_MS = 1000, COME_EVERY_MS = 300;
const HEARD_MS_MAX = 20000; // of who comes: it is let in and hears itself

class Resident {
  constructor(all, server, chat, user) {
    Object.assign(this, { all, chat, user, said: 0, heard: new Map(), items: [], in: false });
    this.socket = new WebSocket(server.replica.address(chat, user), all.options);
    this.socket.on('message', (data) => {
      const frame = JSON.parse(data.toString());
      if (frame.type === 'welcome') this.session = frame.session;
      else if (frame.type === 'joined') this.in = this.in || frame.session === this.session;
      else if (frame.type === 'changed') this.items.push(frame.item);
      else if (frame.type === 'message') this.hear(frame);
    });
    this.socket.on('error', (error) => all.fail(`${user}: ${error}`));
    this.socket.on('close', (code, reason) => { if (!all.ended) all.fail(`${user} was closed: ${code} ${reason}`); });
  }

  say() {
    this.socket.send(`${this.said++} ${Date.now()} ${this.all.text(this.user, this.said)}`);
  }

  hear({ user, text }) {
    if (!this.all.names.has(user)) return; // a stranger
    const [number, sent, rest] = text.split(' ');
    const next = this.heard.get(user) ?? 0;
    if (Number(number) !== next) this.all.fail(`${this.user} got ${number} of ${user}, not ${next}`);
    if (rest !== this.all.text(user, next + 1)) this.all.fail(`${this.user} got another text than ${user} said`);
    this.heard.set(user, next + 1);
    this.all.count++;
    this.all.slowest = Math.max(this.all.slowest, Date.now() - Number(sent));
  }
}

export class Residents {
  count = 0; // messages that were heard and compared
  visits = 0;
  slowest = 0; // ms, from saying to hearing
  ended = false;
  fault = null;
  names = new Set();
  stay = [];

  // servers: { replica, ca }. chats: where they are, two at each server in each
  constructor(world, servers, chats, random) {
    this.servers = servers;
    this.random = random;
    this.chats = chats;
    world.closing(() => this.end());
  }

  // What a user says as its n-th: texts of many sizes, that all know
  text(user, n) {
    const hash = createHash('sha1').update(`${user} ${n}`).digest('hex');
    return hash.repeat(1 + (n % 10 === 0 ? parseInt(hash.slice(0, 2), 16) : 0));
  }

  fail(text) {
    this.fault ??= new Error(text);
  }

  async enter() {
    for (const [i, server] of this.servers.entries())
      for (const chat of this.chats)
        for (const n of [1, 2]) {
          const user = `resident ${n} of ${chat} at ${i}`;
          this.names.add(user);
          this.options = { perMessageDeflate: false, ca: server.ca };
          this.stay.push(new Resident(this, server, chat, user));
        }
    await until('all residents are in', () => this.fault || this.stay.every((one) => one.in));
    const say = () => { for (const one of this.stay) if (!this.fault) one.say(); };
    const visit = () => { this.visit().catch((error) => this.fail(`a visitor: ${error.stack}`)); };
    this.timers = [setInterval(say, SAY_EVERY_MS), setInterval(visit, COME_EVERY_MS)];
  }

  async visit() {
    const { replica, ca } = this.servers[this.random(this.servers.length)];
    const text = `visit ${this.visits++}`;
    const chat = this.chats[this.random(this.chats.length)];
    const closes = this.random(3) > 0;
    const socket = new WebSocket(replica.address(chat, `visitor ${this.visits % 50}`), { perMessageDeflate: false, ca });
    await new Promise((resolve, reject) => {
      const late = setTimeout(() => { socket.terminate(); reject(new Error(`${text}: not in time`)); }, HEARD_MS_MAX);
      const settle = (settled) => (value) => { clearTimeout(late); settled(value); };
      let session = null;
      socket.on('error', settle(reject));
      socket.on('message', (data) => {
        const frame = JSON.parse(data.toString());
        if (frame.type === 'welcome') session = frame.session;
        if (frame.type === 'joined' && frame.session === session) socket.send(text);
        if (frame.type !== 'message' || frame.text !== text) return;
        if (closes) socket.close(1000, 'enough');
        else socket.terminate();
      });
      socket.on('close', settle((code) => (code === (closes ? 1000 : 1006) || this.ended
        ? resolve() : reject(new Error(`${text}: closed with ${code}`)))));
    });
  }

  // Nobody says anything more; all that was said must have been heard, and what thin-client stored been told.
  async settle(items) {
    for (const timer of this.timers) clearInterval(timer);
    const lacks = () => this.stay.flatMap((one) => this.stay.filter((other) => other.chat === one.chat &&
      (one.heard.get(other.user) ?? 0) !== other.said).map((other) => `${one.user} lacks some of ${other.user}`));
    await until('all has been heard', () => this.fault || lacks().length === 0).catch((error) => {
      throw new Error(`${error.message}: ${lacks()}`);
    });
    if (this.fault) throw this.fault;
    for (const one of this.stay)
      await until(`${one.user} is told of all items`, () => this.told(one, items[one.chat] ?? []));
    if (this.fault) throw this.fault;
  }

  told({ items }, expected) {
    assert.deepEqual(items, [...items].sort((a, b) => a - b));
    return expected.every((item) => items.includes(item));
  }

  end() {
    this.ended = true;
    for (const timer of this.timers ?? []) clearInterval(timer);
    for (const { socket } of this.stay) socket.terminate();
  }
}
