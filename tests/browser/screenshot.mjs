// node screenshot.mjs [FILE]: draws three tabs on three replicas, side by side, for the README.

import { writeFileSync } from 'node:fs';
import { World, root, until } from '../cluster/replica.mjs';
import { balancer, browser, endBrowser, openTab, say } from './world.mjs';

const file = process.argv[2] || `${root}docs/three-tabs.png`;
const talk = [[0, 'Morning! Which replica did you two land on?'], [1, 'beta, says my corner'],
  [2, 'gamma here, and I see you both'], [0, 'alpha. One chat, three processes.']];

// Each picture in a window of its own, on one sheet.
const sheet = (pictures) => `<style>
  body { margin: 0; padding: 20px; display: inline-flex; gap: 20px; background: #e3e6ee; }
  img { width: 460px; display: block; border-radius: 10px; box-shadow: 0 2px 10px #0003; }
</style>${pictures.map((png) =>
  `<img src="data:image/png;base64,${png.toString('base64')}">`).join('')}`;

const world = new World();
try {
  const page = await balancer(world, await world.cluster('alpha', 'beta', 'gamma'));
  const viewport = { width: 620, height: 520 };
  const context = await browser(world, { viewport, colorScheme: 'light' });
  const tabs = [];
  for (const user of ['Anna', 'Ben', 'Carl'])
    tabs.push(await openTab(context, page, 'lobby', user));
  for (const [i, [who, text]] of talk.entries()) {
    await say(tabs[who], text);
    for (const tab of tabs) {
      const messages = tab.getByTestId('message');
      await until('it is everywhere', async () => await messages.count() === i + 1);
    }
  }
  const pictures = [];
  for (const tab of tabs) {
    await until('everyone is shown', async () => await tab.getByTestId('person').count() === 3);
    await tab.bringToFront();
    await tab.evaluate(() => document.activeElement.blur());
    pictures.push(await tab.screenshot());
  }
  const composed = await context.newPage();
  await composed.setContent(sheet(pictures), { waitUntil: 'load' });
  const png = await composed.locator('body').screenshot();
  writeFileSync(file, png);
  console.log(`${file}: ${png.length} bytes`);
} finally {
  await world.end();
  await endBrowser();
}
