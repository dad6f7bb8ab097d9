// Entries and servers of NATS that are killed, frozen, flooded, and not let in: what was answered has arrived, what was not
// is known to its sender, and memory stays bounded.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { Client, client, ends, entry, mute, natsServer, newHeaders, program, root, scenario, start, status, until } from './entry.mjs';

const LOBBY = 'wsfan.wsfan.in.chat.lobby';

// An entry that is slow, as with sanitizers, is not cut off with what waits for it.
const UNCUT = 'max_pending: 256MB\nwrite_deadline: "60s"\n';

async function world_of(world, ...doors) {
  const nats = await natsServer(world, { config: UNCUT });
  const [alpha, beta] = await world.cluster('alpha', 'beta');
  const entries = [];
  for (const name of doors) entries.push(await entry(world, nats, alpha, name));
  const service = await client(world, nats);
  for (const name of doors) await until(`${name} has met all`, async () => (await status(service, name)).peers > doors.length);
  const anna = await Client.join(world, beta, 'lobby', 'anna');
  return { nats, alpha, beta, entries, service, anna };
}

// Asks again and again, several at a time; each until it is answered, with an id. Returns how to end that, and what came of it.
function askers(service, { at_once = 16, timeout = 1000 } = {}) {
  const asked = new Map(); // text: how often
  let next = 0;
  let stopped = false;
  const pause = () => new Promise((resolve) => setTimeout(resolve, 20));
  const run = async () => {
    while (!stopped) {
      const text = `t${next++}`;
      for (let done = false; !done;) {
        asked.set(text, (asked.get(text) ?? 0) + 1);
        done = await service.ask(LOBBY, text, { timeout, 'Nats-Msg-Id': text })
          .then(({ complete, code }) => complete === true || (assert.ok(['wait', 'busy'].includes(code) || complete === false), false),
            () => pause());
      }
    }
  };
  const all = Promise.all(Array.from({ length: at_once }, run));
  return { asked, count: () => next, async stop() { stopped = true; await all; return asked; } };
}

// Everything that was answered has arrived; what was asked once has arrived once.
async function accounted(anna, asked) {
  const times = () => {
    const heard = new Map();
    for (const { text } of anna.messages) heard.set(text, (heard.get(text) ?? 0) + 1);
    return heard;
  };
  await until('all have arrived', () => [...asked.keys()].every((text) => times().has(text)));
  for (const [text, count] of times()) assert.ok(count <= asked.get(text), `${text} came ${count} times`);
}

scenario('one of two entries is killed under load: what is not answered is asked again, and arrives', async (world) => {
  const { entries, service, anna } = await world_of(world, 'one', 'two');
  const load = askers(service);
  await until('there is load', () => load.count() > 200);
  entries[0].process.kill('SIGKILL');
  const before = load.count();
  await until('it goes on', () => load.count() > before + 400);
  await accounted(anna, await load.stop());
  await ends(entries[1]);
});

scenario('one of two entries ends under load: nobody has to ask again', async (world) => {
  const { entries, service, anna } = await world_of(world, 'one', 'two');
  const load = askers(service, { timeout: 15000 });
  await until('there is load', () => load.count() > 200);
  await ends(entries[0]);
  const before = load.count();
  await until('it goes on', () => load.count() > before + 200);
  const asked = await load.stop();
  assert.deepEqual([...asked.values()].filter((count) => count !== 1), []);
  await accounted(anna, asked);
  await ends(entries[1]);
});

scenario('a frozen entry answers late, and an answer is given once for each id', async (world) => {
  const { entries, service, anna } = await world_of(world, 'door');
  entries[0].process.kill('SIGSTOP');
  const waiting = service.ask(LOBBY, 'late', { timeout: 20000, 'Nats-Msg-Id': 'a' });
  await assert.rejects(service.ask(LOBBY, 'late', { timeout: 300, 'Nats-Msg-Id': 'a' }), { code: 'TIMEOUT' });
  entries[0].process.kill('SIGCONT');
  assert.equal((await waiting).complete, true);
  await service.ask(LOBBY, 'end');
  await anna.frame((frame) => frame.text === 'end');
  assert.deepEqual(anna.messages.map(({ text }) => text), ['late', 'end']);
  await ends(entries[0]);
});

scenario('a server that pings finds a frozen entry, and the other one gets everything', async (world) => {
  const nats = await natsServer(world, { config: 'ping_interval: "1s"\nping_max: 1\n', args: ['-D'] });
  const alpha = await world.replica({ name: 'alpha' });
  const [one, two] = [await entry(world, nats, alpha, 'one'), await entry(world, nats, alpha, 'two')];
  const service = await client(world, nats);
  one.process.kill('SIGSTOP');
  await until('the server has cut it off', () => /Stale Client Connection/.test(nats.stderr));
  for (let i = 0; i < 50; i++) assert.equal(typeof (await service.ask(LOBBY, `${i}`)).id, 'string');
  one.process.kill('SIGCONT');
  await until('it is back', () => (one.stderr.match(/nats\.connected/g) ?? []).length >= 2);
  for (const door of [one, two]) await ends(door);
});

scenario('a replica that is frozen makes an answer incomplete, and a killed one does not', async (world) => {
  const { beta, entries, service } = await world_of(world, 'door');
  beta.process.kill('SIGSTOP');
  const { complete, replicas } = await service.ask(LOBBY, 'x');
  assert.equal(complete, false);
  assert.equal(replicas.behind, 1);
  beta.process.kill('SIGCONT');
  await until('it is well again', async () => (await service.ask(LOBBY, 'y')).complete);
  assert.ok((await status(service, 'door')).incomplete >= 1);
  await ends(entries[0]);
});

scenario('a server of NATS that is killed and started again is found again', async (world) => {
  const { nats, entries, service, anna } = await world_of(world, 'one', 'two');
  const load = askers(service);
  await until('there is load', () => load.count() > 100);
  await nats.kill('SIGKILL');
  await natsServer(world, { port: nats.port });
  const before = load.count();
  await until('it goes on', () => load.count() > before + 200);
  await accounted(anna, await load.stop());
  for (const one of entries) {
    assert.match(one.stderr, /nats\.failed no connection to NATS/);
    await ends(one);
  }
});

scenario('an entry starts without a server of NATS, and says who lets it not in', async (world) => {
  const nats = await natsServer(world);
  const alpha = await world.replica({ name: 'alpha' });
  await nats.kill('SIGTERM');
  const door = start(world, '--nats', nats.url, '--join', alpha.mesh);
  await until('it tells', () => /nats\.failed/.test(door.stderr));
  await natsServer(world, { port: nats.port });
  await door.printed(/^ready: /m);
  await ends(door);
});

// libnats 3.4.1 reads in circles then, for ever; what it leaves behind is told nowhere.
scenario('a server that says who it is and nothing more is given up, and another one found', async (world) => {
  const env = { ...process.env, LSAN_OPTIONS: `suppressions=${root}tests/nats/lsan.supp` };
  const nats = await mute(world);
  const alpha = await world.replica({ name: 'alpha' });
  const run = (...args) => world.run(program, [...args, '--nats', nats.url], { env });
  const check = run('--check', '--name', 'door');
  const door = run('--join', alpha.mesh);
  const other = run('--join', alpha.mesh);
  for (const child of [door, other]) await until('it tells', () => /nats\.failed/.test(child.stderr));
  await ends(other);
  await until('the check ends', () => check.exit);
  assert.equal(check.exit.code, 1, check.story());
  nats.end();
  await natsServer(world, { port: nats.port });
  await door.printed(/^ready: /m);
  await ends(door);
});

const memory = (pid) => Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) / 1024;

// A sender does not wait for anything.
async function flood(service, count, { size = 100, reply } = {}) {
  const data = 'x'.repeat(size);
  for (let i = 0; i < count; i++) {
    service.publish(LOBBY, data, reply && { reply });
    if (i % 1000 === 999) await service.flush();
  }
  await service.flush();
}

scenario('a flood costs bounded memory, and each message is published, refused or counted', async (world) => {
  const { entries, service } = await world_of(world, 'door');
  const { pid } = entries[0].process;
  // With a sanitizer what waits at the server would take longer than the entry waits for it to answer a ping.
  const share = process.env.ASAN_OPTIONS || process.env.TSAN_OPTIONS ? 20 : 1;
  const [small, large] = [20000 / share, 1000 / share];
  let answers = 0;
  const codes = new Map();
  service.subscribe('_INBOX.flood', { callback: (error, message) => {
    answers++;
    const { code = 'ok' } = JSON.parse(message.string());
    codes.set(code, (codes.get(code) ?? 0) + 1);
  } });
  await flood(service, small, { reply: '_INBOX.flood' });
  await flood(service, large, { size: 100000 });
  const told = await until('all are accounted for', async () => {
    const now = await status(service, 'door');
    return now.published + now.refused + now.unheard >= small + large ? now : null;
  }, 60000);
  assert.equal(told.published + told.refused + told.unheard, small + large);
  await until('all that were heard are answered', () => answers + told.unheard >= small, 60000);
  assert.deepEqual([...codes.keys()].filter((code) => !['ok', 'busy'].includes(code)), []);
  if (!process.env.ASAN_OPTIONS && !process.env.TSAN_OPTIONS)
    assert.ok(memory(pid) < 400, `${memory(pid)} MiB`);
  assert.equal((await service.ask(LOBBY, 'after')).complete, true);
  await ends(entries[0]);
});

scenario('a frozen entry that is flooded is cut off by the server, and comes back with bounded memory', async (world) => {
  const nats = await natsServer(world, { config: 'max_pending: 4MB\n' });
  const alpha = await world.replica({ name: 'alpha' });
  const door = await entry(world, nats, alpha, 'door');
  const service = await client(world, nats);
  door.process.kill('SIGSTOP');
  await flood(service, 300, { size: 100000 });
  door.process.kill('SIGCONT');
  await until('it is back', () => (door.stderr.match(/nats\.connected/g) ?? []).length >= 2);
  await until('it takes messages', () => service.ask(LOBBY, 'after', { timeout: 1000 })
    .then(({ complete }) => complete, () => false));
  await ends(door);
});

scenario('messages without a reply that are refused are counted, and a line tells', async (world) => {
  const { entries, service } = await world_of(world, 'door');
  service.publish('wsfan.wsfan.in.room.lobby', 'x');
  service.publish(LOBBY, Uint8Array.of(0xff));
  await until('they are counted', async () => (await status(service, 'door')).unanswerable === 2);
  await until('a line tells', () => /entry\.refused .* subject 1/.test(entries[0].stderr));
  await ends(entries[0]);
});

scenario('the example of accounts lets each do its own, and nothing else', async (world) => {
  const nats = await natsServer(world, { config: `${root}examples/entry/nats-server.conf` });
  const alpha = await world.replica({ name: 'alpha' });
  const url = (user, number) => ({ ...nats, url: `nats://${user}:change-me-${number}@127.0.0.1:${nats.port}` });
  const wrong = start(world, '--nats', url('entry', 9).url, '--join', alpha.mesh);
  await wrong.exited;
  assert.equal(wrong.exit.code, 1, wrong.story());
  assert.match(wrong.stderr, /uthoriz/);
  const other = start(world, '--nats', url('billing', 2).url, '--join', alpha.mesh);
  await other.exited;
  assert.equal(other.exit.code, 1, other.story());
  assert.match(other.stderr, /ermission/);
  const door = await entry(world, url('entry', 1), alpha, 'door', '--taps', '4');
  const as = (user, number) => client(world, nats, { user, pass: `change-me-${number}` });
  const [billing, archive] = [await as('billing', 2), await as('archive', 3)];
  const heard = archive.hear('wsfan.wsfan.out.chat.lobby');
  assert.equal((await archive.ask('wsfan.wsfan.tap.chat.lobby')).complete, true);
  assert.equal((await billing.ask('wsfan.wsfan.in.chat.lobby', 'paid')).complete, true);
  await until('it is heard', () => heard.length === 1);
  for (const [who, subject] of [[billing, 'wsfan.wsfan.in.all'], [billing, 'wsfan.wsfan.out.chat.lobby'],
    [billing, 'wsfan.wsfan.entry.beat'], [archive, 'wsfan.wsfan.in.chat.lobby']])
    await assert.rejects(who.ask(subject, 'x', { timeout: 1000 }), /PERMISSIONS|TIMEOUT/i, subject);
  assert.equal((await archive.ask('wsfan.wsfan.entry.status.door')).published, 1);
  // An answer that may not be published is no reason to leave the server.
  billing.publish('wsfan.wsfan.in.chat.lobby', 'x', { reply: 'nowhere' });
  await until('it was taken', async () => (await archive.ask('wsfan.wsfan.entry.status.door')).published === 2);
  assert.equal((await billing.ask('wsfan.wsfan.in.chat.lobby', 'y')).complete, true);
  assert.doesNotMatch(door.stderr, /nats\.failed/);
  await ends(door);
});

scenario('a message with too many headers is refused', async (world) => {
  const { entries, service } = await world_of(world, 'door');
  for (const [count, code] of [[64, undefined], [65, 'header']]) {
    const headers = newHeaders();
    for (let i = 0; i < count; i++) headers.set(`X-${i}`, 'y'.repeat(100));
    const reply = await service.request(LOBBY, 'x', { timeout: 5000, headers });
    assert.equal(JSON.parse(reply.string()).code, code);
  }
  await ends(entries[0]);
});
