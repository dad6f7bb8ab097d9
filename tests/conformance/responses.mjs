// Reads HTTP/1.1 responses, and says what no server may send (RFC 9110, RFC 9112).

const STATUS_LINE = /^HTTP\/(1\.[01]) ([1-9]\d\d) [\t\x20-\x7e\x80-\xff]*$/;
const FIELD_LINE = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([\t\x20-\x7e\x80-\xff]*?)[ \t]*$/;
const NEEDS = { 401: 'www-authenticate', 405: 'allow', 426: 'upgrade' }; // RFC 9110, 15.5

export class Malformed extends Error {}

function readHead(textual) {
  const [line, ...lines] = textual.split('\r\n');
  const status = STATUS_LINE.exec(line);
  if (!status) throw new Malformed(`a status line ${JSON.stringify(line.slice(0, 60))}`);
  const fields = new Map();
  for (const one of lines) {
    const field = FIELD_LINE.exec(one);
    if (!field) throw new Malformed(`a field line ${JSON.stringify(one.slice(0, 60))}`);
    const name = field[1].toLowerCase();
    fields.set(name, fields.has(name) ? `${fields.get(name)}, ${field[2]}` : field[2]);
  }
  return { version: status[1], status: Number(status[2]), fields };
}

// The bytes of a chunked body and where it ends, or null when it is not whole.
function readChunked(data, from) {
  const body = [];
  for (let at = from;;) {
    const end = data.indexOf('\r\n', at);
    if (end < 0) return null;
    const line = data.toString('latin1', at, end);
    if (!/^[0-9a-fA-F]+(;.*)?$/.test(line)) throw new Malformed(`a chunk size ${JSON.stringify(line.slice(0, 20))}`);
    const size = parseInt(line, 16);
    at = end + 2;
    if (size === 0) {
      const last = data.indexOf('\r\n', at); // no server here sends trailers
      return last < 0 ? null : { body: Buffer.concat(body), end: last + 2 };
    }
    if (data.length < at + size + 2) return null;
    body.push(data.subarray(at, at + size));
    at += size + 2;
  }
}

function readBody(data, from, { status, fields }, method, ended) {
  const [length, coding] = [fields.get('content-length'), fields.get('transfer-encoding')];
  const none = status < 200 || status === 204;
  if (none && (length !== undefined || coding !== undefined))
    throw new Malformed(`${status} with a length or a transfer coding (RFC 9110, 8.6; RFC 9112, 6.1)`);
  if (length !== undefined && coding !== undefined)
    throw new Malformed('Content-Length beside Transfer-Encoding (RFC 9112, 6.2)');
  if (length !== undefined && !/^\d+$/.test(length)) throw new Malformed(`Content-Length: ${length}`);
  if (none || status === 304 || method === 'HEAD') return { body: Buffer.alloc(0), end: from };
  if (coding !== undefined) {
    if (coding.toLowerCase() !== 'chunked') throw new Malformed(`Transfer-Encoding: ${coding}`);
    return readChunked(data, from);
  }
  const end = length === undefined ? (ended ? data.length : Infinity) : from + Number(length);
  return end <= data.length ? { body: data.subarray(from, end), end } : null;
}

// methods: of the requests that are answered; GET where there is none. Returns what is whole, and whether
// that is all.
export function readResponses(data, { methods = [], ended = false } = {}) {
  const responses = [];
  let at = 0;
  for (let finals = 0; at < data.length;) {
    const end = data.indexOf('\r\n\r\n', at);
    if (end < 0) return { responses, whole: false };
    const head = readHead(data.toString('latin1', at, end));
    const read = readBody(data, end + 4, head, methods[finals], ended);
    if (read === null) return { responses, whole: false };
    responses.push({ ...head, body: read.body, method: methods[finals] ?? 'GET' });
    if (head.status === 101) break; // what follows is another protocol
    if (head.status >= 200) finals++;
    at = read.end;
  }
  return { responses, whole: true };
}

// What a response lacks that it must have, or undefined. ws answers 405 without Allow, so that this is advice.
export function incomplete(responses) {
  if (responses.some(({ version }) => version !== '1.1')) return 'the version is not 1.1 (RFC 9110, 2.5)';
  const found = responses.find(({ status, fields }) => NEEDS[status] && !fields.has(NEEDS[status]));
  return found && `${found.status} without ${NEEDS[found.status]} (RFC 9110, 15.5)`;
}

export const tokens = (value = '') => value.split(',').map((one) => one.trim().toLowerCase());
