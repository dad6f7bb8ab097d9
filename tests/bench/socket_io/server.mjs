// A replica of a chat on Socket.IO with its Redis adapter, for `wsfan-bench websocket --socket-io`:
//   node server.mjs REDIS-PORT
// A client says its chat and its user in the URL, and is in that chat when it is connected.

import { createServer } from 'node:http';
import { createAdapter } from '@socket.io/redis-adapter';
import { createClient } from 'redis';
import { Server } from 'socket.io';

const publisher = createClient({ url: `redis://127.0.0.1:${process.argv[2]}` });
const subscriber = publisher.duplicate();
await Promise.all([publisher.connect(), subscriber.connect()]);
const server = createServer();
// Without pings, which the benchmark's clients would not answer.
const io = new Server(server, { adapter: createAdapter(publisher, subscriber), transports: ['websocket'],
  pingInterval: 3600000 });
io.on('connection', (socket) => {
  const { chat, user } = socket.handshake.query;
  socket.join(chat);
  socket.on('say', (text) => io.to(chat).emit('message', { type: 'message', chat, user, text }));
});
server.listen(0, '127.0.0.1', () =>
  console.log(`ready: node ${process.pid}, page http://127.0.0.1:${server.address().port}/, mesh none`));
for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => process.exit(0));
