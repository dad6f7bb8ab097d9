// node screenshot.mjs [FILE]: draws the page for the README, before and after a replica is killed.

import { writeFileSync } from 'node:fs';
import { World, root, SOON, until } from '../cluster/replica.mjs';
import { balancer, browser, connectedTo, endBrowser, openTab, say } from './world.mjs';

const file = process.argv[2] || `${root}docs/cluster.png`;
const talk = [[1, 'Morning! Which replica did you two land on?'], [0, 'alpha. And you are on beta, says the picture'],
  [2, 'gamma here, and I see you both'], [1, 'One chat, three processes.']];

// Each picture in a window of its own, on one sheet.
const sheet = (pictures) => `<style>
  body { margin: 0; padding: 16px; display: inline-flex; gap: 16px; background: #e3e6ee; }
  img { width: 600px; display: block; border-radius: 10px; box-shadow: 0 2px 10px #0003; }
</style>${pictures.map((png) =>
  `<img src="data:image/png;base64,${png.toString('base64')}">`).join('')}`;

const world = new World();
try {
  const replicas = await world.cluster('alpha', 'beta', 'gamma', SOON);
  const page = await balancer(world, replicas);
  const context = await browser(world, { viewport: { width: 840, height: 560 }, colorScheme: 'light' });
  const tabs = [];
  for (const user of ['Anna', 'Ben', 'Carl', 'Dora', 'Emil']) tabs.push(await openTab(context, page, 'lobby', user));
  await tabs[0].bringToFront();
  await tabs[0].evaluate(() => document.activeElement.blur());
  const frame = () => tabs[0].screenshot();
  for (const [who, text] of talk) {
    await say(tabs[who], text);
    await tabs[0].getByTestId('message-text').getByText(text).waitFor();
    await until('its ways are drawn', async () => await tabs[0].getByTestId('picture-way').count() > 0);
    if (text !== talk.at(-1)[1])
      await until('it is everywhere', async () => await tabs[0].getByTestId('picture-way').count() === 0);
  }
  // Half-way over from replica to replica.
  await tabs[0].evaluate(() => document.getAnimations().forEach((way) => {
    const at = 1.55 * HOP_MS;
    if (way.effect.getComputedTiming().endTime <= at) return way.finish();
    way.pause();
    way.currentTime = at;
  }));
  const pictures = [await frame()];
  await tabs[0].evaluate(() => document.getAnimations().forEach((way) => way.finish()));
  const node = await connectedTo(tabs[1]);
  await replicas.find(({ name }) => name === node).kill('SIGKILL');
  await until('its tabs are elsewhere', async () =>
    await tabs[0].locator(`[data-testid=picture-node][data-node=${node}][data-state=down]`).count() === 1 &&
    await tabs[0].locator(`[data-testid=picture-tab]:not([data-node=${node}])`).count() === tabs.length);
  await until('they have arrived', () => tabs[0].evaluate(() => document.getAnimations().length === 0));
  await say(tabs[1], 'My replica has died. I am still here.');
  await tabs[0].getByTestId('message-text').getByText('I am still here').waitFor();
  await until('its ways are gone', async () => await tabs[0].getByTestId('picture-way').count() === 0);
  pictures.push(await frame());
  const composed = await context.newPage();
  await composed.setContent(sheet(pictures), { waitUntil: 'load' });
  const png = await composed.locator('body').screenshot();
  writeFileSync(file, png);
  console.log(`${file}: ${png.length} bytes`);
} finally {
  await world.end();
  await endBrowser();
}
