// A TCP or TLS connection to a server under test. Pieces are written one by one, so that each is a packet
// of its own as far as the system lets it; all that comes back is kept.

import net from 'node:net';
import tls from 'node:tls';

const secureContext = tls.createSecureContext(); // costs more than a handshake

export class Connection {
  #parts = [];
  #watchers = new Set();
  ended = false; // the server sends no more: it has closed, or reset the connection

  constructor({ hostname, port, secure }) {
    const options = { host: hostname, port, allowHalfOpen: true, noDelay: true };
    this.socket = secure ? tls.connect({ ...options, secureContext, rejectUnauthorized: false }) : net.connect(options);
    this.socket.setNoDelay(true);
    this.socket.on(secure ? 'secureConnect' : 'connect', () => { this.opened = true; this.#changed(); });
    this.socket.on('data', (data) => { this.#parts.push(data); this.#changed(); });
    this.socket.on('error', () => {}); // a reset ends it, as 'close' tells
    for (const event of ['end', 'close'])
      this.socket.on(event, () => { this.ended = true; this.#changed(); });
  }

  get received() {
    if (this.#parts.length > 1) this.#parts = [Buffer.concat(this.#parts)];
    return this.#parts[0] ?? Buffer.alloc(0);
  }

  #changed() {
    for (const watcher of [...this.#watchers]) watcher();
  }

  // Whether `condition` came true before the deadline and the end.
  until(condition, deadlineMs) {
    return new Promise((resolve) => {
      const finish = (value) => {
        clearTimeout(timer);
        this.#watchers.delete(watcher);
        resolve(value);
      };
      const watcher = () => {
        if (condition()) finish(true);
        else if (this.ended) finish(false);
      };
      const timer = setTimeout(() => finish(false), deadlineMs);
      this.#watchers.add(watcher);
      watcher();
    });
  }

  // pieces: strings of one byte a character, buffers; functions are awaited, with the connection.
  async send(pieces, deadlineMs) {
    for (const piece of pieces) {
      if (this.ended) return;
      if (typeof piece === 'function') await piece(this, deadlineMs);
      else this.socket.write(Buffer.from(piece, 'latin1'));
      await new Promise(setImmediate);
    }
  }

  destroy() {
    this.socket.destroy();
  }
}

// ---------------------------------------------------------------------------- pieces, for tables

const PACKETS_MAX = 64;
const FEW = 20;

function parts(bytes, size) {
  const data = Buffer.from(bytes, 'latin1');
  return Array.from({ length: Math.ceil(data.length / size) }, (_, i) => data.subarray(i * size, (i + 1) * size));
}

// Pieces that end the client's direction, or wait for something of the server.
export const halfClose = (connection) => { connection.socket.end(); };

export const cut = (bytes, at) => {
  const data = Buffer.from(bytes, 'latin1');
  return [data.subarray(0, at), data.subarray(at)];
};
// The same bytes otherwise divided: 'bytes' one by one, or a few where there are many, so that a busy machine sends
// them within the time limits of a server; 'gathered' what waits for nothing.
export function divided(pieces, how) {
  if (how === undefined) return pieces;
  if (how === 'bytes') {
    const size = Math.ceil(pieces.reduce((sum, piece) => sum + piece.length, 0) / PACKETS_MAX);
    return size > FEW ? pieces : pieces.flatMap((piece) => (typeof piece === 'function' ? [piece] : parts(piece, size)));
  }
  const result = [];
  for (const piece of pieces)
    if (typeof piece === 'function' || typeof (result.at(-1) ?? halfClose) === 'function') result.push(piece);
    else result.push(Buffer.concat([result.pop(), piece].map((one) => Buffer.from(one, 'latin1'))));
  return result;
}

export const oneByOne = (bytes) => Array.from(Buffer.from(bytes, 'latin1'), (byte) => Buffer.from([byte]));
