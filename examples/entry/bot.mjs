// Hears a chat, and answers "!ping" to everyone in it:
//   npm install nats && node bot.mjs nats://127.0.0.1:4222 lobby
// The lease is renewed three times as often as it must. After an entry has gone, messages may come twice, with the same id.
import { connect } from 'nats';

const LEASE_MS = 60000;
const [url, chat] = process.argv.slice(2);
const token = (name) => (/^[A-Za-z0-9_-]{1,200}$/.test(name) ? name : `=${Buffer.from(name).toString('base64url')}`);
const nats = await connect({ servers: url, maxReconnectAttempts: -1 });
const seen = new Set();

async function lease() {
  try {
    const reply = await nats.request(`wsfan.wsfan.tap.chat.${token(chat)}`, JSON.stringify({ ms: LEASE_MS }), { timeout: 5000 });
    return JSON.parse(reply.string());
  } catch (error) {
    return { error: `${error.code}` };
  }
}

nats.subscribe(`wsfan.wsfan.out.chat.${token(chat)}`, { callback: (error, message) => {
  const id = message.headers.get('Nats-Msg-Id');
  if (seen.has(id)) return;
  seen.add(id);
  if (seen.size > 10000) seen.delete(seen.values().next().value);
  if (/!ping/.test(message.string())) nats.publish(`wsfan.wsfan.in.chat.${token(chat)}`, 'pong');
} });
nats.subscribe('wsfan.wsfan.out.gap', { callback: (error, message) => console.error(`missed: ${message.string()}`) });

for (;;) {
  const answer = await lease();
  console.log(answer);
  await new Promise((resolve) => setTimeout(resolve, answer.error ? 1000 : LEASE_MS / 3));
}
