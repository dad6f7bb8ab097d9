// WebSocket cases: a client enters a chat, sends frames, and last a ping. Either its pong shows that the
// connection is open and everything before it was read, or the server ends the connection. What was
// delivered is told by a witness, another client in the same chat: its own message after each case comes
// after all that the case delivered.

import { randomBytes } from 'node:crypto';
import { Connection } from './connection.mjs';
import { CLOSE, close, closePayload, PING, PONG, ping, readFrames, TEXT, text } from './frames.mjs';

const LAST = 'the last ping';
const WORD = 'the word of the witness, ';
const isWord = (text) => text.startsWith(WORD);
const UTF8 = new TextDecoder('utf-8', { fatal: true });

// The upgrade request that every frame case begins with.
export const upgrade = ({ host, websocket }, chat, key = randomBytes(16).toString('base64')) =>
  `GET ${websocket}?chat=${chat}&user=conformance HTTP/1.1\r\nHost: ${host}\r\nUpgrade: websocket\r\n` +
  `Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n\r\n`;

class Client {
  texts = []; // of messages in the chat
  pongs = [];
  close = undefined; // the status of the server's Close, 1005 for none
  #rest = Buffer.alloc(0);
  #seen = 0;

  constructor(server, chat) {
    this.server = server;
    this.chat = chat;
    this.connection = new Connection(server);
  }

  // early: bytes in the packet of the request, behind it
  async open(deadlineMs, early = '') {
    const { connection } = this;
    await connection.until(() => connection.opened, deadlineMs);
    await connection.send([Buffer.concat([Buffer.from(upgrade(this.server, this.chat)), Buffer.from(early)])]);
    await connection.until(() => connection.received.includes('\r\n\r\n'), deadlineMs);
    const head = connection.received.indexOf('\r\n\r\n');
    if (!connection.received.toString('latin1', 0, 12).startsWith('HTTP/1.1 101')) return false;
    this.#seen = head + 4;
    return true;
  }

  // Reads what has come since.
  read() {
    const all = this.connection.received;
    if (all.length === this.#seen) return;
    const { frames, rest, problem } = readFrames(Buffer.concat([this.#rest, all.subarray(this.#seen)]));
    this.#rest = rest;
    this.#seen = all.length;
    this.problem ??= problem;
    for (const each of frames) this.#take(each);
  }

  #take({ opcode, fin, payload }) {
    if (this.close !== undefined) this.problem ??= `a frame after its Close, opcode ${opcode} (5.5.1)`;
    if (opcode === PONG) this.pongs.push(payload.toString('latin1'));
    else if (opcode === CLOSE) this.#takeClose(payload);
    else if (opcode === TEXT && fin) this.#takeText(payload);
    else if (opcode !== PING) this.problem ??= `a frame that nobody asked for, opcode ${opcode}`;
  }

  #takeClose(payload) {
    this.close = payload.length === 0 ? 1005 : payload.length === 1 ? -1 : payload.readUInt16BE(0);
    try {
      UTF8.decode(payload.subarray(2));
    } catch {
      this.problem ??= 'a reason that is not UTF-8 (5.5.1)';
    }
  }

  #takeText(payload) {
    try {
      const { type, text: said } = JSON.parse(UTF8.decode(payload));
      if (type === 'message') this.texts.push(said);
    } catch (error) {
      this.problem ??= `a text: ${error.message}`;
    }
  }

  until(condition, deadlineMs) {
    return this.connection.until(() => {
      this.read();
      return condition();
    }, deadlineMs);
  }
}

// A chat with a witness in it, for one case at a time.
export class Room {
  #count = 0;

  constructor(server, chat, deadlineMs) {
    Object.assign(this, { server, chat, deadlineMs });
  }

  async enter(early) {
    if (!this.witness || this.witness.connection.ended) {
      this.witness = new Client(this.server, this.chat);
      await this.witness.open(this.deadlineMs);
    }
    this.witness.texts.length = 0;
    const client = new Client(this.server, this.chat);
    client.opened = await client.open(this.deadlineMs, early);
    return client;
  }

  // Returns what was delivered, now that nothing more can be, and the witness's word that ended it.
  async delivered() {
    const { witness } = this;
    const word = `${WORD}${this.#count++}`;
    await witness.connection.send([text(word)]);
    const found = await witness.until(() => witness.texts.at(-1) === word, this.deadlineMs);
    if (!found) {
      witness.connection.destroy();
      witness.connection.ended = true;
    }
    return { word, texts: found ? witness.texts.slice(0, -1).filter((one) => !isWord(one)) : null };
  }

  close() {
    this.witness?.connection.destroy();
  }
}

const isPrefix = (part, whole) => part.every((one, i) => one === whole[i]);
const same = (one, two) => one.length === two.length && isPrefix(one, two);
const short = (text) => (text.length > 60 ? `${JSON.stringify(text.slice(0, 40))} and ${text.length - 40} more`
  : JSON.stringify(text));

// closes: the case itself sends the Close frame. last: false where the case leaves no room for a ping.
// early: what is in the packet of the handshake.
// deaf: the client does not answer the server's Close, which ends the connection all the same (7.1.1).
export async function runFrames({ room, deadlineMs }, { send, early, closes = false, deaf = closes, last = !closes }) {
  const client = await room.enter(early);
  if (!client.opened) {
    client.connection.destroy();
    return { seen: 'no handshake', matches: () => false };
  }
  const { connection } = client;
  await connection.send([send].flat(9));
  if (last) await connection.send([ping(LAST)]);
  await client.until(() => client.pongs.at(-1) === LAST || client.close !== undefined, deadlineMs);
  if (client.close !== undefined) {
    if (!deaf) await connection.send([close(client.close >= 1000 && client.close !== 1005 ? client.close : 1000)]);
    await client.until(() => false, deadlineMs); // to the end
  }
  client.read();
  const open = client.pongs.at(-1) === LAST && !connection.ended;
  const { word, texts } = await room.delivered();
  if (open) await client.until(() => client.texts.at(-1) === word, deadlineMs);
  const outcome = outcomeOf(client, open, texts);
  connection.destroy();
  return { seen: describe(outcome), problem: outcome.problem, matches: (expected) => expected.allows(outcome) };
}

function outcomeOf(client, open, texts) {
  const own = client.texts.filter((one) => !isWord(one));
  let { problem } = client;
  if (texts === null) problem ??= 'the witness was not served';
  else if (open ? !same(own, texts) : !isPrefix(own, texts)) problem ??= `the sender saw ${own.map(short)}`;
  const ended = client.connection.ended;
  const end = open ? 'open' : client.close !== undefined ? (ended ? String(client.close) : `${client.close} left open`)
    : ended ? 'drop' : 'silent';
  return { texts: texts ?? [], pongs: client.pongs.filter((one) => one !== LAST), end, problem };
}

const few = (list) => (list.length > 6 ? [...list.slice(0, 5), `... ${list.length} in all`] : list);
const describe = ({ texts, pongs, end }) => [...few(texts.map(short)),
  ...few(pongs.map((one) => `pong ${short(one)}`)), end].join(', ');

// -------------------------------------------------------------------------------------- what is right

// ends: 'open', a status that the server's Close has, or 'drop', no Close. Where the connection fails,
// less may have been delivered: it is undefined how far a server is when it finds the error.
class Expected {
  constructor(ends, texts, pongs, exact) {
    Object.assign(this, { ends, texts, pongs, exact });
  }

  allows({ texts, pongs, end }) {
    const agrees = this.exact ? same : isPrefix;
    return this.ends.includes(end) && agrees(texts, this.texts) && agrees(pongs, this.pongs);
  }

  toString() {
    return describe({ ...this, end: this.ends.join(' or ') }) + (this.exact ? '' : ', or less of it');
  }
}

const strings = (list) => list.map((one) => one.toString());
export const stays = (texts = [], pongs = []) => ({ must: [new Expected(['open'], strings(texts), pongs, true)] });
// RFC 6455, 7.1.7: the Close that tells why SHOULD be sent.
export const fails = (codes, texts = [], pongs = []) => ({
  must: [new Expected([...codes, 'drop'].map(String), strings(texts), pongs, false)],
  should: [new Expected(codes.map(String), strings(texts), pongs, false)],
});
// The client's own Close is answered; 5.5.1: it typically echos the status code.
export const closed = (code, texts = [], pongs = []) => ({
  must: [new Expected([code, 1000, 1005].map(String), strings(texts), pongs, true)],
  should: [new Expected([String(code)], strings(texts), pongs, true)],
});
export const either = (...expected) => ({ must: expected.flatMap(({ must }) => must) });
export { closePayload };
