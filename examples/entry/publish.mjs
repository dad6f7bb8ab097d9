// Sends one message into a chat, and says whether everyone has it:
//   npm install nats && node publish.mjs nats://127.0.0.1:4222 lobby 'hello'
// Asked again until there is an answer, with the same id: an entry that has it already does not send it twice.
import { randomUUID } from 'node:crypto';
import { connect, headers } from 'nats';

const [url, chat, text] = process.argv.slice(2);
const token = (name) => (/^[A-Za-z0-9_-]{1,200}$/.test(name) ? name : `=${Buffer.from(name).toString('base64url')}`);
const nats = await connect({ servers: url });
const with_id = headers();
with_id.set('Nats-Msg-Id', randomUUID());

let answer = null;
for (let attempts = 0; attempts < 5 && answer === null; attempts++) {
  try {
    const reply = await nats.request(`wsfan.wsfan.in.chat.${token(chat)}`, text, { timeout: 5000, headers: with_id });
    answer = JSON.parse(reply.string());
    if (['busy', 'wait'].includes(answer.code)) answer = null;
  } catch (error) {
    console.error(`${error.code}, again`); // 503: no entry takes messages; TIMEOUT
  }
  if (answer === null) await new Promise((resolve) => setTimeout(resolve, 200));
}
console.log(answer);
await nats.close();
process.exitCode = answer?.complete ? 0 : 1;
