// /metrics of the example servers, and what Prometheus makes of it.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Client } from './client.mjs';
import { prometheus, temporary } from './prometheus.mjs';
import { root, scenario, SOON, until } from './replica.mjs';

const monitoring = `${root}examples/monitoring/`;
const thin = process.env.THIN_CLIENT || `${root}build/examples/thin-client/thin-client`;
const PLAIN = 'text/plain; version=0.0.4; charset=utf-8';
const OPEN = 'application/openmetrics-text; version=1.0.0; charset=utf-8';

// What a scraper with this Accept header gets.
async function page(url, accept, headers = {}) {
  const response = await fetch(new URL('metrics', url), { headers: { ...accept && { accept }, ...headers } });
  return { status: response.status, type: response.headers.get('content-type'), text: await response.text() };
}

function promtool(args, input) {
  const { status, stdout, stderr, error } = spawnSync('promtool', args, { input, encoding: 'utf8', cwd: monitoring });
  assert.ifError(error);
  assert.equal(status, 0, `promtool ${args.join(' ')}: ${stdout}${stderr}`);
  return stdout + stderr;
}

// A cluster in which each metric has a sample: three replicas, two clients, a message.
async function busy(world, options = {}) {
  const replicas = await world.cluster('alpha', 'beta', 'gamma', options);
  const clients = replicas.slice(0, 2).map((replica, i) => new Client(world, replica.address('lobby', `u${i}`)));
  for (const client of clients) await client.frame((frame) => frame.type === 'joined');
  clients[0].say('hello');
  for (const client of clients) await until('it is there', () => client.messages.length === 1);
  return replicas;
}

async function thinClient(world, replica) {
  const child = world.run(thin, ['--store', join(temporary(world, 'wsfan-thin-'), 'store'),
    '--sockets', 'ws://127.0.0.1:1', '--listen', '0', '--mesh', 'tcp://127.0.0.1:*', '--join', replica.mesh]);
  return (await child.printed(/^ready: page (\S+)$/m))[1];
}

scenario('promtool finds nothing to say of the metrics of either server', async (world) => {
  const [alpha] = await busy(world);
  for (const url of [alpha.page, await thinClient(world, alpha)]) {
    const { status, type, text } = await page(url);
    assert.equal(status, 200);
    assert.equal(type, PLAIN);
    assert.equal(promtool(['check', 'metrics'], text), '');
  }
});

scenario('who takes OpenMetrics 1.0 gets it, and the token is needed', async (world) => {
  const directory = temporary(world, 'wsfan-token-');
  writeFileSync(join(directory, 'token'), 'secret\n');
  const alpha = await world.replica({ name: 'alpha', args: ['--token', join(directory, 'token')] });
  const authorization = 'Bearer secret';
  assert.equal((await page(alpha.page)).status, 401);
  for (const [accept, type] of [
    [undefined, PLAIN], ['*/*', PLAIN], ['text/plain', PLAIN],
    ['application/openmetrics-text', OPEN], ['text/html, Application/OpenMetrics-Text ; version=1.0.0;q=0.5', OPEN],
    ['application/openmetrics-text;version=1.0.0;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1', OPEN],
    ['application/openmetrics-text;version=0.0.1', PLAIN], ['application/openmetrics-text;q=0', PLAIN],
    ['application/openmetrics-text;q=0.00, text/plain', PLAIN], ['application/openmetrics-texts', PLAIN],
    ['application/openmetrics-text;version=0.0.1, application/openmetrics-text;version=1.0.0', OPEN]]) {
    const answer = await page(alpha.page, accept, { authorization });
    assert.equal(answer.type, type, accept);
    assert.equal(answer.text.endsWith('\n# EOF\n'), type === OPEN, accept);
  }
});

test('promtool passes the configuration, the alerts and their tests', () => {
  promtool(['check', 'config', 'prometheus.yml']);
  promtool(['check', 'rules', 'alerts.yml']);
  promtool(['test', 'rules', 'alerts.test.yml']);
});

test('each alert is tested, and stands in docs/operations.md', () => {
  const tests = readFileSync(`${monitoring}alerts.test.yml`, 'utf8');
  const manual = readFileSync(`${root}docs/operations.md`, 'utf8');
  const alerts = [...readFileSync(`${monitoring}alerts.yml`, 'utf8').matchAll(/alert: (\w+)/g)].map(([, name]) => name);
  assert.ok(alerts.length >= 10);
  for (const alert of alerts) {
    assert.match(tests, new RegExp(`alertname: ${alert}\n *exp_alerts:\n *- exp_labels`));
    assert.ok(manual.includes(`\`${alert}\``), alert);
  }
});

scenario('each metric that the alerts and the dashboard name is there', async (world) => {
  const [alpha] = await busy(world);
  const samples = new Set([...(await page(alpha.page)).text.matchAll(/^([a-z_]+)[{ ]/gm)].map(([, name]) => name));
  const dashboard = JSON.parse(readFileSync(`${monitoring}dashboard.json`, 'utf8'));
  const exprs = dashboard.panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));
  assert.ok(exprs.length > 20);
  for (const text of [...exprs, ...dashboard.templating.list.map(({ query }) => query),
    readFileSync(`${monitoring}alerts.yml`, 'utf8'), readFileSync(`${monitoring}alerts.test.yml`, 'utf8')])
    for (const [name] of text.matchAll(/\b(wsfan|echo_chat|thin_client)_\w+/g))
      assert.ok(samples.has(name), `there is no ${name}: ${text.slice(0, 100)}`);
});

scenario('Prometheus scrapes three replicas, and an alert fires while one of them is frozen', async (world) => {
  const replicas = await busy(world, SOON);
  const gamma = replicas[2];
  const { query, firing } = await prometheus(world, replicas);
  const missing = async (name, state) => (await firing(name) ?? []).filter((labels) =>
    state ? labels.peer === 'gamma' && labels.state === state : labels.replica === 'gamma').map(({ replica }) => replica);
  const quiet = async () =>
    (await firing('WsfanPeerLost'))?.length === 0 && (await firing('WsfanReplicaGone'))?.length === 0;
  await until('all three are scraped', async () => (await query('up == 1')).length === 3);
  await until('each sees the two others', async () => (await query('wsfan_peers_up == 2')).length === 3);
  await until('both histograms of a message are there', async () =>
    (await query('wsfan_loop_dispatch_seconds_count > 0 and on (replica) wsfan_join_seconds_count > 0')).length > 0);
  await until('nobody misses anybody', quiet);

  gamma.process.kill('SIGSTOP');
  await until('the two others miss it', async () =>
    (await missing('WsfanPeerLost', 'down')).sort().join() === 'alpha,beta');
  await until('it does not answer', async () => (await missing('WsfanReplicaGone')).length === 1);
  gamma.process.kill('SIGCONT');
  await until('nobody misses anybody any more', quiet);
});
