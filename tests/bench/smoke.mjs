// Runs wsfan-bench for a moment and checks that it produces the figures it is for; how large they
// are is no matter here. That payloads are checked is its own business, see test_payload.c.
//   node smoke.mjs PROGRAM COMMAND
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';

const transports = ['raw', 'packed', 'redis', 'nats'];
const expected = {
  relay: ['wsfan_per_s', 'wsfan_per_s_min', 'wsfan_per_s_max', 'wsfan_cpu_ns_per_message',
    ...transports.flatMap((name) => [`${name}_per_s`, `ratio_vs_${name}`, `cpu_ratio_vs_${name}`])],
  latency: ['p50_us', 'p90_us', 'p99_us', 'p999_us',
    ...['raw', 'redis', 'nats'].flatMap((name) => [`${name}_p99_us`, `p50_ratio_vs_${name}`])],
  fanout: ['ns_per_recipient_1000', 'cpu_ns_per_broadcast_few', 'growth', 'two_loops_scale'],
  registry: ['bytes_per_session', 'bytes_per_membership', 'bytes_per_remote_chat', 'joins_per_s',
    'joins_of_new_chats_per_s', 'close_ns_per_chat_of_200', 'rss_bytes_sessions_in_own_chats',
    'join_with_presence_ns', 'presence_bytes_per_remote_row', 'presence_storm_s',
    'presence_counts_per_s'],
  interest: ['snapshot_s', 'quiet_p99_us', 'chats'],
  idle: ['cpu_percent_per_node', 'sessions'],
  websocket: ['one_chat', 'many_chats'].flatMap((load) => ['paced', 'full'].flatMap((speed) =>
    ['deliveries_per_s', 'cpu_us_per_delivery', 'p50_us', 'p99_us']
      .map((name) => `${load}_${speed}_${name}`))),
};

const [program, command] = process.argv.slice(2);
const output = execFileSync(program, [command, '--quick', '--json'], { encoding: 'utf8' });
const result = JSON.parse(output);
assert.equal(result.command, command);
for (const name of expected[command])
  assert.ok(result[name] > 0, `${name} is ${result[name]} in ${output}`);
