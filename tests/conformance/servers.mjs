// What the tables must know of a server: where it is, and what it answers to the requests that they build on.

export const TOKEN = 'say it';

// get: a resource of a few bytes, 200. post: takes `body`, with `fields`, and answers `posted`; what is not
// JSON is answered by one of `unfit`, and a POST with the fields `refusing`, whatever its body, by one of `refused`. websocket: a chat room (websocket.mjs).
const CHAT = {
  get: '/healthz', missing: '/nope', post: '/publish', fields: `Authorization: Bearer ${TOKEN}\r\n`,
  body: '{"chat":"conformance","text":"a text of some bytes"}', posted: 200, unfit: [400, 422],
  refusing: 'Authorization: Bearer wrong\r\n', refused: [401, 403], websocket: '/ws', bytesMax: 16384,
};
const THIN = {
  get: '/about', missing: '/nope', post: '/items', fields: 'Content-Type: application/json\r\n',
  body: '{"chat":"c","user":"u","text":"a text of some bytes"}', posted: 201, unfit: [400, 422],
  refusing: 'Content-Type: text/plain\r\n', refused: [415],
};

function at(address, kind) {
  const { protocol, hostname, port, host } = new URL(address);
  return { ...kind, hostname, host, port: Number(port), secure: protocol === 'https:' };
}

export const chatAt = (address) => ({ ...at(address, CHAT) });
export const thinAt = (address) => ({ ...at(address, THIN) });
