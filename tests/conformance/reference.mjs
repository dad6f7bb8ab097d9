// The reference: node's HTTP server and the ws package, which answer as echo-chat does. The tables are
// calibrated by it: `node reference.mjs` serves, `node --test reference.test.mjs` runs them.

import { once } from 'node:events';
import http from 'node:http';
import https from 'node:https';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { TOKEN } from './servers.mjs';

const { WebSocketServer } = createRequire(new URL('../cluster/client.mjs', import.meta.url))('ws');
const BODY_BYTES_MAX = 32 * 1024;
const TEXT_BYTES_MAX = 16384;
const CLOSE = { connection: 'close' };

function answer(response, status, type, body, headers = {}) {
  response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(body), ...headers });
  response.end(body);
}

const plain = (response, status, text, headers) => answer(response, status, 'text/plain', `${text}\n`, headers);

const isRefused = ({ method, url, headers }) =>
  method === 'POST' && url === '/publish' && headers.authorization !== `Bearer ${TOKEN}`;

function publish(request, response, body) {
  try {
    JSON.parse(body);
  } catch {
    return plain(response, 400, 'no JSON');
  }
  return answer(response, 200, 'application/json', '{}');
}

// The path of a target in origin, absolute or asterisk form (RFC 9112, section 3.2), or null.
function pathOf({ url }) {
  if (url === '*') return '*';
  const found = /^(?:http:\/\/[^/?#@\s]+)?(\/[^?]*)?(\?.*)?$/i.exec(url);
  return found && url !== '' ? found[1] ?? '/' : null;
}

function serve(request, response, body) {
  const path = pathOf(request);
  const { method } = request;
  if (path === null) return plain(response, 400, 'no target', CLOSE);
  if (path === '*') return method === 'OPTIONS' ? plain(response, 200, 'hello') : plain(response, 400, 'no target');
  if (path === '/publish')
    return method === 'POST' ? publish(request, response, body)
      : plain(response, 405, 'only POST', { allow: 'POST' });
  if (!['/', '/healthz', '/ws'].includes(path)) return plain(response, 404, 'nothing there');
  if (path === '/ws') return plain(response, 426, 'a WebSocket', { upgrade: 'websocket', connection: 'upgrade' });
  if (method !== 'GET' && method !== 'HEAD')
    return plain(response, 405, 'only GET', { allow: 'GET, HEAD' });
  return path === '/' ? answer(response, 200, 'text/html', '<!doctype html>\n')
    : answer(response, 200, 'application/json', '{"status":"ok"}\n');
}

async function onRequest(request, response) {
  if (isRefused(request)) return plain(response, 401, 'no token', { 'www-authenticate': 'Bearer' });
  const parts = [];
  let size = Number(request.headers['content-length'] ?? 0);
  if (size <= BODY_BYTES_MAX) {
    size = 0;
    try {
      for await (const part of request) {
        size += part.length;
        if (size > BODY_BYTES_MAX) break;
        parts.push(part);
      }
    } catch {
      return undefined; // it ended within its body
    }
  }
  return size > BODY_BYTES_MAX ? plain(response, 413, 'too large', CLOSE)
    : serve(request, response, Buffer.concat(parts));
}

function onClient(socket, chats, name) {
  if (!chats.has(name)) chats.set(name, new Set());
  const chat = chats.get(name);
  chat.add(socket);
  socket.on('close', () => chat.delete(socket));
  socket.on('error', () => {});
  socket.on('message', (data, binary) => {
    if (binary) return socket.close(1003);
    for (const member of chat) member.send(JSON.stringify({ type: 'message', text: data.toString() }));
    return undefined;
  });
}

// tls: { key, cert }; http, websocket: options of node and ws. Returns { address, close }.
export async function reference({ tls, http: options = {}, websocket = {} } = {}) {
  const server = tls ? https.createServer({ ...options, ...tls }, onRequest) : http.createServer(options, onRequest);
  const sockets = new WebSocketServer({ noServer: true, maxPayload: TEXT_BYTES_MAX,
    maxPendingAutoPongs: 0, ...websocket });
  const chats = new Map();
  server.on('upgrade', (request, socket, head) => {
    const { pathname, searchParams } = new URL(request.url, 'http://reference');
    socket.on('error', () => {});
    if (pathname !== '/ws') return socket.end('HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n');
    return sockets.handleUpgrade(request, socket, head,
      (client) => onClient(client, chats, searchParams.get('chat')));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const close = () => {
    for (const client of sockets.clients) client.terminate();
    server.closeAllConnections();
    server.close();
  };
  return { address: `${tls ? 'https' : 'http'}://127.0.0.1:${server.address().port}/`, close };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) console.log((await reference()).address);
