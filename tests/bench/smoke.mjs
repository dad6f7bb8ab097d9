// Runs wsfan-bench for a moment and checks that it produces the figures it is for; how large they
// are is no matter here. That payloads are checked is its own business, see test_payload.c.
//   node smoke.mjs PROGRAM CASE
// A case is a command, or a command with options; `arguments` is that bad ones are refused.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';

const transports = ['raw', 'packed', 'redis', 'nats'];
const spread = (name) => [name, `${name}_min`, `${name}_max`];
const rates = (name) => [`${name}_per_s`, `${name}_cpu_ns_per_message`].flatMap(spread);
const ratios = (name) => [`ratio_vs_${name}`, `cpu_ratio_vs_${name}`].flatMap(spread);
const relay = (...others) => [...rates('wsfan'), ...beside(...others)];
const beside = (...others) => [
  ...others.flatMap((name) => [...rates(name), ...ratios(name)])];
const options = {
  relay_nats: ['--carrier', 'nats', '--against', 'nats'],
  relay_chats: ['--chats', '100'],
  relay_split: ['--split', '--chats', '6', '--peers', '3'],
  relay_curve: ['--curve'],
  relay_publishers: ['--publishers', '4', '--split', '--runs', '2'],
  path_split: ['--chats', '6', '--split'],
  path_history: ['--chats', '6', '--history'],
};
const settings = {
  relay: { chats: 1, parts: 1, publishers: 1, curve: 0 },
  relay_chats: { chats: 100, parts: 1 },
  relay_split: { chats: 6, parts: 3, peers: 3 },
  relay_curve: { curve: 1 },
  relay_publishers: { publishers: 4, chats: 2, runs: 2 },
  history: { recoveries: 200, storm_sessions_recovered: 200 },
};
const expected = {
  relay: relay(...transports),
  relay_nats: [...rates('wsfan_nats'), ...beside('nats')],
  relay_chats: relay(...transports),
  relay_split: relay(...transports),
  relay_curve: relay('raw', 'packed'),
  relay_publishers: relay('one_publisher'),
  latency: ['p50', 'p90', 'p99', 'p999'].flatMap((name) =>
    ['', 'raw_', 'redis_', 'nats_'].flatMap((prefix) => spread(`${prefix}${name}_us`)))
    .concat(['raw', 'redis', 'nats'].flatMap((name) =>
      [`p50_ratio_vs_${name}`, `p99_ratio_vs_${name}`].flatMap(spread))),
  path: ['messages_in_a_round', ...spread('cpu_ns_per_message')],
  path_split: ['messages_in_a_round', ...spread('cpu_ns_per_message')],
  path_history: ['messages_in_a_round', ...spread('cpu_ns_per_message')],
  fanout: ['ns_per_recipient_1000', 'cpu_ns_per_broadcast_few', 'growth', 'two_loops_scale'],
  registry: ['bytes_per_session', 'bytes_per_membership', 'bytes_per_remote_chat', 'joins_per_s',
    'joins_of_new_chats_per_s', 'close_ns_per_chat_of_200', 'rss_bytes_sessions_in_own_chats',
    'join_with_presence_ns', 'presence_bytes_per_remote_row', 'presence_storm_s',
    'presence_counts_per_s'],
  interest: ['snapshot_s', 'quiet_p99_us', 'chats'],
  idle: ['cpu_percent_per_node', 'sessions'],
  opening: ['clients', ...['open_s', 'cpu_s', 'bytes_per_client', 'frames_per_client'].flatMap(spread)],
  history: ['one_chat', 'many_chats'].flatMap((load) => ['cpu_ns_per_message',
    'kept_cpu_ns_per_message', 'kept_cpu_ratio'].flatMap((name) => spread(`${load}_${name}`)))
    .concat(['position_ns', 'position_bytes', 'heap_bytes_per_chat_of_100', 'recoveries_per_s',
      'recoveries_from_peer_per_s', 'storm_sessions_recovered', 'storm_verdict_p99_us',
      'storm_other_node_p99_ratio_vs_quiet', 'storm_same_loop_p99_ratio_vs_quiet']),
  websocket: ['one_chat', 'many_chats'].flatMap((load) => ['paced', 'full'].flatMap((speed) =>
    ['deliveries_per_s', 'cpu_us_per_delivery', 'p50_us', 'p99_us']
      .map((name) => `${load}_${speed}_${name}`))),
};

const refused = ['relay --chats 0', 'relay --chats 10001', 'relay --chats 1x', 'relay --publishers 0',
  'relay --publishers 17', 'relay --split --peers 1', 'relay --split --chats 3',
  'relay --publishers 2 --against raw', 'relay --curve --against redis', 'relay --curve --against raw,nats',
  'latency --curve', 'fanout --chats 2', 'path --publishers 2', 'idle --split', 'relay --history', 'relay --against zmq',
  'relay --carrier zmq', 'path --carrier nats', 'relay --carrier nats --curve'];

const [program, wanted] = process.argv.slice(2);
if (wanted === 'arguments') {
  for (const line of refused)
    assert.equal(spawnSync(program, line.split(' ')).status, 2, line);
} else {
  const command = wanted.split('_')[0];
  const output = execFileSync(program, [command, ...options[wanted] ?? [], '--quick', '--json'],
    { encoding: 'utf8' });
  const result = JSON.parse(output);
  assert.equal(result.command, command);
  for (const [name, value] of Object.entries(settings[wanted] ?? {}))
    assert.equal(result[name], value, name);
  for (const name of expected[wanted])
    assert.ok(result[name] > 0, `${name} is ${result[name]} in ${output}`);
}
