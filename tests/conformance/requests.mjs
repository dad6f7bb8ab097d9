// HTTP requests as the tables write them, and what is right for them.

export const head = (line, lines = []) => `${line}\r\n${lines.map((one) => `${one}\r\n`).join('')}\r\n`;
export const get = (server, ...lines) => head(`GET ${server.get} HTTP/1.1`, [`Host: ${server.host}`, ...lines]);

// A POST whose body the server takes, framed by `lines`; body: as it is on the wire.
export const post = (server, lines, body) =>
  head(`POST ${server.post} HTTP/1.1`, [`Host: ${server.host}`, ...server.fields.split('\r\n').filter(Boolean),
    ...lines]) + body;
// The same, refused by its head.
export const refusedPost = ({ refusing, ...server }, lines, body) => post({ ...server, fields: refusing }, lines, body);
export const posted = (server) => post(server, [`Content-Length: ${server.body.length}`], server.body);
export const chunks = (...parts) => parts.map((part) => `${part.length.toString(16)}\r\n${part}\r\n`).join('');
export const chunked = (server, ...parts) =>
  post(server, ['Transfer-Encoding: chunked'], `${chunks(...(parts.length ? parts : [server.body]))}0\r\n\r\n`);

// The connection is kept, or closed after the answer; the last of those kept is the sentinel's.
export const kept = (...statuses) => statuses.flatMap((status) => [`${status} 200`, `${status}`]);
export const last = (...statuses) => statuses.map(String);

// A refusal of much more than a server reads: the reset that follows may overtake the answer.
export const overrun = (...statuses) => ({ must: [...last(...statuses), 'closed'], should: last(...statuses) });

// The answers to requests in a pipeline, and the sentinel's: in order, or closed after one of them.
export function inOrder(...allowed) {
  const [first, ...others] = [...allowed, [200]].map((statuses) => `(?:${statuses.join('|')})`);
  return [new RegExp(`^${first}${others.reduceRight((rest, one) => `(?: ${one}${rest})?`, '')}$`)];
}
