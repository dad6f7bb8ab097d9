// A server that is wrong on purpose: whatever ends with an empty line is a request, bodies are requests, too, and
// frames are not judged. The tables must tell.

import { once } from 'node:events';
import net from 'node:net';
import { frame, CLOSE, PING, PONG, TEXT, text } from './frames.mjs';
import { accept } from './http.mjs';

// The first frame in `data`, masked or not, or null.
function firstFrame(data) {
  if (data.length < 2) return null;
  const masked = data[1] >= 0x80;
  let size = data[1] & 0x7f;
  let at = 2;
  if (size > 125) {
    at = size === 126 ? 4 : 10;
    if (data.length < at) return null;
    size = size === 126 ? data.readUInt16BE(2) : Number(data.readBigUInt64BE(2));
  }
  const key = masked ? data.subarray(at, at + 4) : [0, 0, 0, 0];
  at += masked ? 4 : 0;
  if (data.length < at + size) return null;
  return { opcode: data[0] & 0x0f, payload: data.subarray(at, at + size).map((byte, i) => byte ^ key[i & 3]),
    end: at + size };
}

function onFrames(connection, chat) {
  let pinged = false;
  let closed = false;
  for (let one = firstFrame(connection.data); one; one = firstFrame(connection.data)) {
    connection.data = connection.data.subarray(one.end);
    if (one.opcode === PING && !pinged) connection.socket.write(frame(PONG, one.payload, { mask: null }));
    pinged ||= one.opcode === PING;
    closed ||= one.opcode === CLOSE;
    if (one.opcode === CLOSE) connection.socket.write(frame(CLOSE, one.payload, { mask: null }));
    else if (one.opcode === TEXT)
      for (const member of chat) member.write(text(JSON.stringify({ type: 'message',
        text: one.payload.toString() }), { mask: null }));
  }
  if (closed) connection.socket.end();
}

function onHead(connection, chats) {
  const end = connection.data.indexOf('\r\n\r\n');
  if (end < 0) return false;
  const lines = connection.data.toString('latin1', 0, end);
  connection.data = connection.data.subarray(end + 4);
  const key = /^Sec-WebSocket-Key: (.*)$/mi.exec(lines)?.[1];
  if (key === undefined) {
    connection.socket.write('HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n');
    if (/^Connection: close$/m.test(lines)) connection.socket.end();
    return true;
  }
  const name = /chat=([^& ]*)/.exec(lines)?.[1];
  if (!chats.has(name)) chats.set(name, new Set());
  connection.chat = chats.get(name);
  connection.chat.add(connection.socket);
  connection.socket.write(`HTTP/1.1 101 Yes\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept(key)}\r\n\r\n`);
  return true;
}

// Returns { address, close }.
export async function careless() {
  const chats = new Map();
  const sockets = new Set();
  const server = net.createServer((socket) => {
    const connection = { socket, data: Buffer.alloc(0) };
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => { sockets.delete(socket); connection.chat?.delete(socket); });
    socket.on('data', (data) => {
      connection.data = Buffer.concat([connection.data, data]);
      while (!connection.chat && onHead(connection, chats));
      if (connection.chat) onFrames(connection, connection.chat);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const close = () => {
    for (const socket of sockets) socket.destroy();
    server.close();
  };
  return { address: `http://127.0.0.1:${server.address().port}/`, close };
}
