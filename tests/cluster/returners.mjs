// Clients of chats with history, as a program would write them: each knows how far it has seen its chat, and comes back with
// that, to any replica, again and again.

import assert from 'node:assert/strict';
import WebSocket from 'ws';
import { until } from './replica.mjs';

// How far a client has seen a chat: the position of its join and of what was replayed then, and that of the newest message.
export class Seen {
  joined = '';
  newest = '';

  take(frame) {
    if (!frame.position) return;
    if (frame.type === 'joined') Object.assign(this, { joined: frame.position, newest: '' });
    else if (frame.replayed) this.joined = frame.position;
    else this.newest = frame.position;
  }

  get position() {
    return [this.joined, this.newest].filter(Boolean).join(' ');
  }
}

const MS_AWAY_MAX = 300;

// Keeps the verdicts of all its joins, and all texts that it got. Each replica has a turn.
class Returner {
  seen = new Seen();
  texts = [];
  verdicts = [];
  isIn = false;
  isAway = false;

  constructor(crowd, chat, first) {
    Object.assign(this, { crowd, chat, turn: first });
    this.open();
  }

  open() {
    if (this.crowd.open.length === 0) return this.tryLater();
    const replica = this.crowd.open[this.turn++ % this.crowd.open.length];
    const { position } = this.seen;
    const query = { chat: this.chat, user: 'returner', ...(position && { position }) };
    this.socket = new WebSocket(`ws://${replica.host}/ws?${new URLSearchParams(query)}`, { perMessageDeflate: false });
    this.socket.on('message', (data) => this.take(JSON.parse(data.toString())));
    this.socket.on('error', () => {}); // it is closed then
    this.socket.on('close', () => {
      this.isIn = false;
      this.tryLater();
    });
  }

  tryLater() {
    clearTimeout(this.timer);
    if (!this.isAway) this.timer = setTimeout(() => this.open(), Math.random() * MS_AWAY_MAX);
  }

  take(frame) {
    if (frame.type !== 'joined' && frame.type !== 'message') return;
    this.seen.take(frame);
    if (frame.type === 'message') this.texts.push(frame.text);
    else {
      this.isIn = true;
      this.verdicts.push(frame.reason);
    }
  }

  goAway() {
    this.isAway = true;
    clearTimeout(this.timer);
    this.socket?.terminate();
  }

  comeBack() {
    this.isAway = false;
    this.tryLater();
  }
}

const PROGRAMS = 6;

// Clients of many chats, for which programs publish, each by one replica. A text says by which, by which program, and how many
// there were before.
export class Crowd {
  all = [];
  accepted = new Map(); // chat -> texts
  published = 0;
  quiet = false;

  // sizes: of each chat. `open`: replicas to which clients go; `publishers`: those that publish.
  constructor(world, replicas, token, sizes) {
    Object.assign(this, { token, open: [...replicas], publishers: [...replicas] });
    sizes.forEach((size, i) => {
      this.accepted.set(`chat ${i}`, []);
      for (let k = 0; k < size; k++) this.all.push(new Returner(this, `chat ${i}`, this.all.length));
    });
    this.underWay = []; // what each program has asked for
    this.publishing = Promise.all(Array.from({ length: PROGRAMS }, (_, i) => this.publish(i)));
    world.closing(() => this.end());
  }

  async publish(i) {
    const chats = [...this.accepted.keys()];
    while (!this.quiet) {
      const number = this.published++;
      const chat = chats[number % chats.length];
      const publisher = this.publishers[i % this.publishers.length];
      const text = `${publisher.process.pid} ${i} ${number}`;
      this.underWay[i] = fetch(new URL('publish', publisher.page), { method: 'POST',
        headers: { authorization: `Bearer ${this.token}` }, body: JSON.stringify({ chat, text }) })
        .then((answer) => { if (answer.status === 200) this.accepted.get(chat).push(text); }, () => {});
      await this.underWay[i];
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  }

  areIn() {
    return this.all.every((returner) => returner.isIn);
  }

  async becomeQuiet() {
    this.quiet = true;
    await this.publishing;
  }

  async end() {
    for (const returner of this.all) returner.goAway();
    await this.becomeQuiet();
  }

  // Those of whom another verdict was told than this one when they came back.
  unrecovered(expected) {
    return this.all.map(({ chat, verdicts }) => ({ chat, verdicts: verdicts.slice(1) }))
      .filter(({ verdicts }) => verdicts.some((verdict) => verdict !== expected));
  }

  // Of those who lack some of what was accepted for their chat since their first message: what they lack. by: of this replica.
  lacking(by) {
    return this.all.map(({ chat, texts, verdicts }) => {
      const got = new Set(texts);
      const accepted = this.accepted.get(chat);
      const first = accepted.findIndex((text) => got.has(text));
      const missing = accepted.slice(first).filter((text) => !got.has(text));
      return { chat, verdicts, missing: by ? missing.filter((text) => text.startsWith(`${by.process.pid} `)) : missing };
    }).filter(({ missing }) => missing.length > 0);
  }

  // Nothing is published by this replica any more, and all has come that was.
  async hush(replica) {
    this.publishers = this.publishers.filter((publisher) => publisher !== replica);
    await Promise.all(this.underWay);
    await until(`all of ${replica.name} has come`, () => this.lacking(replica).length === 0);
  }

  // Everybody has all, once, and of each publisher in order.
  async hasAll() {
    await until('everybody has all', () => this.lacking().length === 0)
      .catch(() => assert.deepEqual(this.lacking(), []));
    for (const { texts, chat, verdicts } of this.all) {
      const newest = new Map();
      for (const text of texts) {
        const [replica, program, number] = text.split(' ');
        const publisher = `${replica} ${program}`;
        assert.ok(Number(number) > (newest.get(publisher) ?? -1), `${text} comes twice or late in ${chat}: ${verdicts}: ${texts}`);
        newest.set(publisher, Number(number));
      }
    }
  }
}
