// node prometheus.mjs [FILE]: draws what Prometheus shows while one of three replicas is frozen, for docs/operations.md.

import { writeFileSync } from 'node:fs';
import { Client } from '../cluster/client.mjs';
import { prometheus } from '../cluster/prometheus.mjs';
import { root, SOON, until, World } from '../cluster/replica.mjs';
import { browser, endBrowser } from './world.mjs';

const file = process.argv[2] || `${root}docs/prometheus.png`;
const SECONDS_BEFORE = 20; // of the graph, before gamma is frozen

// The alert, above the graph.
const sheet = (pictures) => `<style>
  body { margin: 0; padding: 12px; display: inline-block; background: #fff; }
  img { display: block; }
</style>${pictures.map((png) => `<img src="data:image/png;base64,${png.toString('base64')}">`).join('')}`;

const world = new World();
try {
  const replicas = await world.cluster('alpha', 'beta', 'gamma', SOON);
  const clients = replicas.map((replica, i) => new Client(world, replica.address('lobby', `user ${i}`)));
  for (const client of clients) await client.frame((frame) => frame.type === 'joined');
  const { page, query, firing } = await prometheus(world, replicas, '500ms');
  const talk = setInterval(() => clients[0].say('hello'), 50);
  world.closing(() => clearInterval(talk));
  await until('there is something to see', async () =>
    (await query(`count_over_time(up[1m]) > ${2 * SECONDS_BEFORE}`)).length === 3, 120000);
  replicas[2].process.kill('SIGSTOP');
  await until('both miss it', async () =>
    new Set((await firing('WsfanPeerLost') ?? []).map(({ replica }) => replica)).size === 2, 120000);

  const context = await browser(world, { viewport: { width: 900, height: 800 }, colorScheme: 'light' });
  const tab = await context.newPage();
  await tab.goto(`${page}classic/alerts`);
  await tab.getByText('WsfanPeerLost', { exact: false }).first().click();
  await tab.getByText('peer="gamma"').first().waitFor();
  const alerts = await tab.screenshot({ clip: { x: 0, y: 0, width: 900, height: 715 } });
  const expr = 'sum by (replica) (rate(wsfan_received_messages_total[5s]))';
  await tab.goto(`${page}classic/graph?${new URLSearchParams({ 'g0.expr': expr, 'g0.tab': '0', 'g0.range_input': '1m' })}`);
  await tab.locator('.rickshaw_graph svg path').first().waitFor({ state: 'attached' });
  const graph = await tab.locator('.graph_area, .graph_container').first().screenshot();
  const composed = await context.newPage();
  await composed.setContent(sheet([alerts, graph]), { waitUntil: 'load' });
  const png = await composed.locator('body').screenshot();
  writeFileSync(file, png);
  console.log(`${file}: ${png.length} bytes`);
} finally {
  for (const child of world.children) child.process.kill('SIGCONT');
  await world.end();
  await endBrowser();
}
