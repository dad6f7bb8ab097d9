// Runs the tables against a server that is already there:
//   node run.mjs (chat|thin) ADDRESS [--way WAY] [--deadline MS] [--only PART-OF-A-NAME] [--table NAME] [--all]
//     [--packets bytes|gathered]

import { parseArgs } from 'node:util';
import { DEADLINE_MS, runTables, summary, tell } from './runner.mjs';
import { chatAt, thinAt } from './servers.mjs';
import { tables, tablesWithoutWebSocket } from './tables.mjs';

const { values, positionals: [kind, address] } = parseArgs({ allowPositionals: true, options: {
  way: { type: 'string', default: 'plain' }, deadline: { type: 'string', default: String(DEADLINE_MS) },
  only: { type: 'string' }, table: { type: 'string' },
  packets: { type: 'string' }, all: { type: 'boolean' } } });
const [server, all] = kind === 'thin' ? [thinAt(address), tablesWithoutWebSocket] : [chatAt(address), tables];
let failed = false;
for (const [name, table] of Object.entries(all)) {
  if (values.table && values.table !== name) continue;
  const begin = performance.now();
  const results = await runTables(server, [table],
    { way: values.way, packets: values.packets, deadlineMs: Number(values.deadline),
    only: values.only && (({ name: which }) => which.includes(values.only)) });
  for (const result of results) if (values.all || result.verdict !== 'good') console.log(tell(result));
  if (results.length === 0) continue;
  const { ms, name: slowest } = results.reduce((one, other) => (other.ms > one.ms ? other : one));
  console.log(`== ${name}: ${summary(results)}; ${((performance.now() - begin) / 1000).toFixed(1)} s, ` +
    `of these ${(ms / 1000).toFixed(1)} for ${slowest}`);
  failed ||= results.some(({ verdict }) => verdict === 'wrong');
}
process.exitCode = failed ? 1 : 0;
