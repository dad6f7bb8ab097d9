// All tables, by name.

import * as closing from './tables/closing.mjs';
import * as connections from './tables/connections.mjs';
import * as fields from './tables/fields.mjs';
import * as fragmentation from './tables/fragmentation.mjs';
import * as framing from './tables/framing.mjs';
import * as handshake from './tables/handshake.mjs';
import * as lengths from './tables/lengths.mjs';
import * as pipelining from './tables/pipelining.mjs';
import * as requestLine from './tables/request_line.mjs';
import * as transferCodings from './tables/transfer_codings.mjs';
import * as utf8 from './tables/utf8.mjs';

export const tablesWithoutWebSocket = { 'request line': requestLine, fields, lengths,
  'transfer codings': transferCodings, connections, pipelining };
export const tables = { handshake, framing, fragmentation, utf8, closing, ...tablesWithoutWebSocket };
