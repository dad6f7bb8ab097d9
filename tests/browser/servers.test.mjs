// All example servers and echo-chat as one mesh, with clients of different makes on them: node's `ws`, Chromium, Python's
// `websockets`, and echo-chat's page.

import assert from 'node:assert/strict';
import { ends, hears, join, startAll } from '../cluster/servers.mjs';
import { scenario, until } from '../cluster/replica.mjs';
import { browser, openTab, say, texts } from './world.mjs';

const chat = 'caf\u00e9';

// A client has a name, send(), and what it has heard: text as a string, anything else as "binary HEX".
async function node(world, server) {
  const socket = await join(world, server, encodeURIComponent(chat));
  return { name: `ws at ${server.name}`, server, heard: socket.heard, send: (text) => socket.send(text),
    bytes: (hex) => socket.send(Buffer.from(hex, 'hex')) };
}

async function chromium(world, context, server) {
  const page = await context.newPage(); // about:blank
  const heard = [];
  await page.exposeFunction('hear', (text) => { heard.push(text); });
  await page.evaluate((address) => new Promise((resolve, reject) => {
    window.socket = new WebSocket(address);
    window.socket.binaryType = 'arraybuffer';
    window.socket.onmessage = ({ data }) => window.hear(typeof data === 'string' ? data
      : `binary ${Array.from(new Uint8Array(data), (byte) => byte.toString(16).padStart(2, '0')).join('')}`);
    window.socket.onopen = resolve;
    window.socket.onerror = reject;
  }), server.address(encodeURIComponent(chat)));
  return { name: `Chromium at ${server.name}`, server, heard,
    send: (text) => page.evaluate((said) => window.socket.send(said), text) };
}

// Its program reads lines and prints "< TEXT" for each message, between words for a terminal.
async function python(world, server) {
  const child = world.run('/usr/bin/python3', ['-m', 'websockets', server.address(encodeURIComponent(chat))],
    { stdio: ['pipe', 'pipe', 'pipe'] });
  world.closing(() => child.process.stdin.end());
  await child.printed(/Connected to/);
  return { name: `websockets at ${server.name}`, server, send: (text) => child.process.stdin.write(`${text}\n`),
    get heard() { return [...child.stdout.matchAll(/< (.*)/g)].map(([, text]) => text); } };
}

// echo-chat's page shows what these servers send as said by somebody; they get JSON of what is said on it.
async function page(context, echo) {
  const tab = await openTab(context, echo.page, chat, 'ann');
  const client = { name: 'the page of echo-chat', server: echo, heard: [], send: (text) => say(tab, text) };
  client.listen = async () => { client.heard = await texts(tab); };
  return client;
}

const heardBy = async (client, text) => {
  await client.listen?.();
  return client.heard.some((message) => message === text || message.includes(`"text":"${text}"`));
};

const allHear = (clients, text) => Promise.all(clients.map((client) =>
  until(`${client.name} hears "${text}"`, () => heardBy(client, text))));

// Each says something, and each hears it, once.
async function talk(clients, what) {
  for (const client of clients) await client.send(`${what} from ${client.name}`);
  await Promise.all(clients.map((speaker) => allHear(clients, `${what} from ${speaker.name}`)));
  for (const { name, heard } of clients)
    for (const speaker of clients) {
      const count = heard.filter((text) => text.includes(`${what} from ${speaker.name}`)).length;
      assert.equal(count, 1, `${name} of ${speaker.name}`);
    }
}

scenario('servers of all kinds are one mesh: each client hears each; one is killed, one is frozen, and the others go on', async (world) => {
  const echo = await world.replica({ name: 'echo' });
  const servers = await startAll(world, echo);
  const context = await browser(world);
  const of = (name) => servers.find((server) => server.name === name);
  const clients = [
    ...await Promise.all(servers.map((server) => node(world, server))),
    ...await Promise.all(['minimal', 'glib-libsoup', 'civetweb'].map((name) => chromium(world, context, of(name)))),
    ...await Promise.all(['poll-wslay', 'libuv-wslay', 'libevent', 'epoll-threads'].map((name) => python(world, of(name)))),
    await page(context, echo)];
  const [first] = clients;
  await until('they have met', async () => {
    await first.send('met?');
    return (await Promise.all(clients.map((client) => heardBy(client, 'met?')))).every(Boolean);
  });
  await talk(clients, 'hello');
  for (const [i, client] of clients.filter(({ bytes }) => bytes).entries()) client.bytes(`0${i}ff00c328`);
  for (const client of clients.filter(({ name }) => /^(ws|Chromium)/.test(name)))
    for (const i of servers.keys()) await hears(client, `binary 0${i}ff00c328`);

  const [dead, frozen] = [of('libevent'), of('epoll-threads')];
  await dead.kill('SIGKILL');
  frozen.process.kill('SIGSTOP');
  const others = clients.filter(({ server }) => server !== dead && server !== frozen);
  await talk(others, 'on');
  const late = await node(world, of('libuv-wslay'));
  late.name = 'who comes late';
  others.push(late);
  await talk(others, 'still on');

  frozen.process.kill('SIGCONT');
  const back = clients.filter(({ server }) => server === frozen);
  for (const client of back) await allHear([client], `still on from ${late.name}`);
  await talk([...others, ...back], 'all');
  await world.close();
  await Promise.all(servers.filter((server) => server !== dead).map(ends));
});
