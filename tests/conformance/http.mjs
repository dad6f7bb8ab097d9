// HTTP cases: bytes are sent, then one more request, the sentinel, that asks to close. So the end of the
// connection ends each case, and a request that was read where there was none shows as one status more.
//
// Outcome: the statuses in order, "200 404 200". Nothing: closed without an answer. "... silent": the
// connection was still open at the deadline. "... cut": the last answer was not whole.

import { createHash } from 'node:crypto';
import { Connection } from './connection.mjs';
import { incomplete, Malformed, readResponses, tokens } from './responses.mjs';

export const sentinel = ({ get, host }) => `GET ${get} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`;

function read(connection, methods) {
  const { received: data, ended } = connection;
  try {
    return readResponses(data, { methods, ended });
  } catch (error) {
    if (!(error instanceof Malformed)) throw error;
    return { responses: [], whole: true, problem: error.message };
  }
}

// RFC 9112, 9.6: the last answer SHOULD tell that the connection ends.
function unannounced(responses) {
  const last = responses.at(-1);
  return last && last.status !== 101 && !tokens(last.fields.get('connection')).includes('close')
    ? 'the end is not announced (RFC 9112, 9.6)' : undefined;
}

// must, should: outcomes, or regular expressions of them.
// `sentinel`: false where the case itself ends the connection. `check(responses)` returns a problem.
const agrees = (expected, seen) => (expected instanceof RegExp ? expected.test(seen) : expected === seen);

export async function runRequest({ server, deadlineMs }, { send, methods, sentinel: ends = true, check }) {
  const connection = new Connection(server);
  await connection.until(() => connection.opened, deadlineMs);
  await connection.send([send].flat(9), deadlineMs);
  if (ends) await connection.send([sentinel(server)]);
  await connection.until(() => connection.ended, deadlineMs);
  const { responses, whole, problem } = read(connection, methods);
  const silent = !connection.ended;
  connection.destroy();
  const words = responses.map(({ status }) => status);
  if (!whole) words.push('cut');
  if (silent) words.push('silent');
  const seen = words.join(' ');
  return {
    seen: seen || 'closed',
    problem: problem ?? (whole && !silent ? check?.(responses) : undefined),
    advice: incomplete(responses) ?? (ends && !silent ? unannounced(responses) : undefined),
    matches: (expected) => agrees(expected, seen || 'closed'),
  };
}

// ------------------------------------------------------------------------- handshakes (RFC 6455, section 4)

export const accept = (key) =>
  createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');

function judgeAccepted({ fields }, { key, protocols = [], extensions = [] }) {
  if (fields.get('upgrade')?.toLowerCase() !== 'websocket') return 'Upgrade is not websocket (4.2.2)';
  if (!tokens(fields.get('connection')).includes('upgrade')) return 'Connection is not Upgrade (4.2.2)';
  if (fields.get('sec-websocket-accept') !== accept(key)) return 'Sec-WebSocket-Accept is another (4.2.2)';
  const protocol = fields.get('sec-websocket-protocol');
  if (protocol !== undefined && !protocols.includes(protocol)) return 'a subprotocol that was not offered (4.2.2)';
  const extension = fields.get('sec-websocket-extensions');
  if (extension !== undefined && !extensions.includes(tokens(extension)[0].split(';')[0]))
    return 'an extension that was not offered (4.2.2, 9.1)';
  return undefined;
}

// Outcome: the status, or "closed", or "silent".
export async function runHandshake({ server, deadlineMs }, one) {
  const connection = new Connection(server);
  await connection.until(() => connection.opened, deadlineMs);
  await connection.send([one.send].flat(9));
  let got = {};
  await connection.until(() => {
    got = read(connection, one.methods);
    return got.responses.length > 0 || got.problem;
  }, deadlineMs);
  got = read(connection, one.methods);
  const [response] = got.responses ?? [];
  const seen = response ? String(response.status) : connection.ended ? 'closed' : 'silent';
  let { problem } = got;
  if (response?.status === 101) problem ??= judgeAccepted(response, one);
  else if (response) problem ??= one.check?.(response);
  connection.destroy();
  return { seen, problem, advice: incomplete(got.responses ?? []), matches: (expected) => expected === seen };
}
