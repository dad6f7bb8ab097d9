// WebSocket frames as a client writes them, right and wrong (RFC 6455, section 5.2), and as it reads
// those of a server.

export const CONTINUATION = 0, TEXT = 1, BINARY = 2, CLOSE = 8, PING = 9, PONG = 10;
const KEY = [0x37, 0xfa, 0x21, 0x3d];

function lengthBytes(length, form) {
  if (form === 7) return Buffer.from([Number(length)]);
  const bytes = Buffer.alloc(form === 16 ? 3 : 9);
  bytes[0] = form === 16 ? 126 : 127;
  if (form === 16) bytes.writeUInt16BE(Number(length), 1);
  else bytes.writeBigUInt64BE(BigInt(length), 1);
  return bytes;
}

// mask: its key, or null. form: bits of the length, 7, 16 or 64; by default the shortest.
// length: what is announced, if not the truth.
export function frame(opcode, payload = '', { fin = true, rsv = 0, mask = KEY, form, length } = {}) {
  const data = Buffer.from(payload);
  const announced = length ?? data.length;
  const size = lengthBytes(announced, form ?? (announced < 126 ? 7 : announced < 65536 ? 16 : 64));
  if (mask !== null) size[0] |= 0x80;
  return Buffer.concat([
    Buffer.from([(fin ? 0x80 : 0) | (rsv << 4) | opcode]), size, Buffer.from(mask ?? []),
    mask === null ? data : data.map((byte, i) => byte ^ mask[i & 3]),
  ]);
}

export const text = (payload, options) => frame(TEXT, payload, options);
export const more = (payload, options) => frame(CONTINUATION, payload, options);
export const ping = (payload, options) => frame(PING, payload, options);
export const pong = (payload, options) => frame(PONG, payload, options);

export function closePayload(code, reason = '') {
  const head = Buffer.alloc(2);
  head.writeUInt16BE(code);
  return Buffer.concat([head, Buffer.from(reason)]);
}
export const close = (code, reason, options) => frame(CLOSE, closePayload(code, reason), options);

// The message in fragments of these parts.
export const fragments = (parts, opcode = TEXT) =>
  parts.map((part, i) => frame(i === 0 ? opcode : CONTINUATION, part, { fin: i === parts.length - 1 }));

// Takes the frames of a server from a buffer: { frames, rest, problem }.
export function readFrames(data) {
  const frames = [];
  let at = 0;
  for (;;) {
    if (data.length - at < 2) break;
    const [first, second] = [data[at], data[at + 1]];
    let size = second & 0x7f;
    let start = at + 2;
    if (size === 126) {
      if (data.length < at + 4) break;
      size = data.readUInt16BE(at + 2);
      start = at + 4;
    } else if (size === 127) {
      if (data.length < at + 10) break;
      size = Number(data.readBigUInt64BE(at + 2));
      start = at + 10;
    }
    const opcode = first & 0x0f;
    const problem = judge(first, second, size);
    if (problem) return { frames, rest: data.subarray(at), problem };
    if (data.length < start + size) break;
    frames.push({ opcode, fin: first >= 0x80, payload: data.subarray(start, start + size) });
    at = start + size;
  }
  return { frames, rest: data.subarray(at) };
}

// What no server may send.
function judge(first, second, size) {
  const opcode = first & 0x0f;
  if (second & 0x80) return 'a masked frame (5.1)';
  if (first & 0x70) return 'a reserved bit without an extension (5.2)';
  if (![CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG].includes(opcode)) return 'a reserved opcode (5.2)';
  if (opcode >= CLOSE && (size > 125 || first < 0x80)) return 'a long or fragmented control frame (5.5)';
  if ((second & 0x7f) > 125 && size < ((second & 0x7f) === 126 ? 126 : 65536)) return 'a length not minimal (5.2)';
  return undefined;
}
