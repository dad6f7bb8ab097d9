// The tables themselves: what they ask, node's HTTP server and ws do; and what a careless server does wrong, they find.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { careless } from './careless.mjs';
import { reference } from './reference.mjs';
import { runTables, summary, tell } from './runner.mjs';
import { chatAt } from './servers.mjs';
import { tables } from './tables.mjs';

// Where a case expects nothing, its deadline is waited for.
const DEADLINE_MS = 20000;
const SOON_MS = 3000;

async function against(server, options) {
  const results = await runTables(chatAt(server.address), Object.values(tables), options);
  return { results, wrong: results.filter(({ verdict }) => verdict === 'wrong') };
}

test('node and ws do all that must be', async (t) => {
  const server = await reference();
  t.after(server.close);
  const { results, wrong } = await against(server, { deadlineMs: DEADLINE_MS });
  assert.equal(wrong.length, 0, `${wrong.map(tell).join('\n')}\n${summary(results)}`);
});

test('there are many cases, each named once, and each of a section', () => {
  const all = Object.values(tables).flatMap(({ kind, cases }) =>
    cases(chatAt('http://127.0.0.1:1/')).map((one) => ({ kind, ...one })));
  const names = all.map(({ name }) => name);
  const twice = names.filter((name, i) => names.indexOf(name) !== i);
  assert.deepEqual(twice, []);
  for (const { name, section, must } of all) assert.ok(section && must.length > 0, name);
  const count = (...kinds) => all.filter(({ kind }) => kinds.includes(kind)).length;
  assert.ok(count('websocket', 'handshake') > 1500 && count('http') > 2000);
});

// Of each kind of fault one case that must find it.
const FAULTS = ['an unmasked text of 5 bytes', 'after Close text, in one packet', '3 pings in one packet',
  'a Close of one byte, 3', 'a reason: ff',
  'Close 1005', 'a handshake version 99', 'a handshake a key of 3 bytes', 'reserved bits 1 on text',
  'opcode 3, fin true, 1 bytes, outside a message', 'a text within a text, fin true, 1 bytes',
  'invalid: U+d800, whole', 'a text of 16385 bytes, too long', '5 fragments in one packet', 'method get',
  'version "XTTP/1.1"', 'a space in the target "/a b"', 'a folded line "X: a\\r\\n b"',
  'POST with the length "abc"', 'two lengths, 5 and 6', 'Host" "before the colon', 'a chunked body',
  'CONNECT HOST HTTP/1.1', 'no Host', 'two of Host, ["HOST","HOST"]', 'LF alone within a value', '0x00 in a value',
  'chunked plain, a length of 0 first', 'HEAD', 'the Date of GET /', 'POST, then GET of nothing',
  'GET, then no request'];

// node and ws told to be lenient, and what finds them.
const LENIENT = [
  [{ websocket: { skipUTF8Validation: true } }, ['invalid: U+d800, whole',
    'invalid: ff, in the last of two fragments']],
  [{ websocket: { autoPong: false } }, ['a ping of 5 bytes', '5 fragments, a ping between each, in one packet']],
  [{ websocket: { maxPayload: 0 } }, ['a text of 16385 bytes, too long',
  'fragments of 16384,1 bytes, too long together']],
  [{ http: { requireHostHeader: false } }, ['no Host', 'no Host beside other fields']],
  [{ http: { insecureHTTPParser: true } }, ['chunked plain, a length of 0 first', '0x00 in a value']],
  [{ http: { maxHeaderSize: 1 << 20 } }, ['a head without end']],
];

for (const [options, names] of LENIENT)
  test(`the tables find ${JSON.stringify(options)}`, async (t) => {
    const server = await reference(options);
    t.after(server.close);
    const { results, wrong } = await against(server, { deadlineMs: SOON_MS, only: ({ name }) => names.includes(name) });
    assert.equal(results.length, names.length);
    assert.equal(wrong.length, names.length, results.map(tell).join('\n'));
  });

test('a careless server is found out', async (t) => {
  const server = await careless();
  t.after(server.close);
  const { results } = await against(server, { deadlineMs: SOON_MS, only: ({ name }) => FAULTS.includes(name) });
  assert.deepEqual(results.map(({ name }) => name).sort(), [...FAULTS].sort());
  for (const { name, verdict, seen } of results) assert.notEqual(verdict, 'good', `${name}: ${seen}`);
});
