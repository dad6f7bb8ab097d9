// Runs cases against a server, so many at a time, and judges what came back.
//
// A case: { name, section, send, must, should, ways, ... } (README.md). What is seen of it, its outcome, is a
// string for HTTP ("200 404": the statuses, then the end of the connection) and an object for WebSocket.
// It is right when `must` allows it, and good when `should` does, too.

import { divided } from './connection.mjs';
import { runHandshake, runRequest } from './http.mjs';
import { Room, runFrames } from './websocket.mjs';

const RUN = { http: runRequest, handshake: runHandshake, websocket: runFrames };
const CONNECTIONS = 24;
const LATE_MS = 5000;
export const DEADLINE_MS = 20000;

// server: of servers.mjs; tables: { kind, cases(server) }; only(case): which of them; packets: 'bytes' or 'gathered', not as
// the cases say: what is right is the same.
// Returns { name, section, verdict: 'good' | 'advice' | 'wrong', seen, expected } of each case.
export async function runTables(server, tables, { way = 'plain', deadlineMs = DEADLINE_MS, only, packets } = {}) {
  let queue = [];
  for (const { kind, ways = ['plain', 'tls'], cases } of tables)
    for (const one of cases(server))
      if ((one.ways ?? ways).includes(way) && (only?.(one) ?? true)) queue.push({ kind, ...one,
        send: divided([one.send].flat(9), packets) });
  queue = inPackets(queue);
  const results = [];
  await Promise.all(Array.from({ length: CONNECTIONS }, async (_, number) => {
    const room = new Room(server, `${way}-${process.pid}-${number}`, deadlineMs);
    for (let one = queue.shift(); one; one = queue.shift())
      results.push(await runInTime({ server, room, deadlineMs, advised: way === 'plain' || way === 'tls' }, one));
    room.close();
  }));
  return results;
}

// A busy machine may stop this process for longer than a server waits for a request. Such a case says nothing, and
// is run again.
async function runInTime(context, one) {
  let result = await runCase(context, one);
  for (let tries = 1; tries < 4 && result.verdict === 'wrong' && /\b408\b/.test(result.seen) && result.ms > LATE_MS; tries++)
    result = await runCase(context, one);
  return result;
}

// Those of many packets first and together: a packet is sent in a turn of the event loop, which is long while
// connections are made.
function inPackets(queue) {
  const many = ({ send }) => send.length > 8;
  return [...queue.filter(many), ...queue.filter((one) => !many(one))];
}

// advised: not through a proxy, which may end a connection by a reset where the client still sends, so that the
// server's Close is lost.
async function runCase(context, one) {
  const { name, section, must } = one;
  const should = context.advised ? one.should : undefined;
  const begin = performance.now();
  const { seen, problem, advice, matches } = await RUN[one.kind](context, one);
  const allowed = (expected) => expected.some((each) => matches(each));
  const verdict = problem || !allowed(must) ? 'wrong' : advice || (should && !allowed(should)) ? 'advice' : 'good';
  const expected = (verdict === 'advice' && should ? should : must).map(String).join(' | ');
  const remark = problem ?? advice;
  const ms = performance.now() - begin;
  return { name, section, verdict, ms, seen: remark ? `${seen} (${remark})` : seen, expected };
}

export const tell = ({ name, section, verdict, seen, expected }) =>
  `${verdict}: ${name} [${section}]\n    seen:     ${seen}\n    expected: ${expected}`;

export function summary(results) {
  const count = (verdict) => results.filter((result) => result.verdict === verdict).length;
  return `${results.length} cases: ${count('wrong')} wrong, ${count('advice')} against advice`;
}
