// The picture of the cluster in the page: what it shows, and what it says.

import assert from 'node:assert/strict';
import { scenario, SOON, until } from '../cluster/replica.mjs';
import { balancer, browser, connectedTo, openTab, say, screenshot } from './world.mjs';

const USERS = ['Anna', 'Ben', 'Carl'];

async function threeTabs(world) {
  const replicas = await world.cluster('alpha', 'beta', 'gamma', SOON);
  const page = await balancer(world, replicas);
  const context = await browser(world);
  const tabs = [];
  for (const user of USERS) tabs.push(await openTab(context, page, 'lobby', user));
  return { replicas, tabs };
}

const node = (tab, name, state) =>
  tab.locator(`[data-testid=picture-node][data-node=${name}][data-state=${state}]`);
const dot = (tab, user, name) => tab.locator(`[data-testid=picture-tab][data-user=${user}][data-node=${name}]`);
const name = (tab) => tab.getByTestId('picture').getAttribute('aria-label');
const links = (tab) => tab.locator('#picture .link[data-state=up]').count();
const news = (tab) => tab.getByTestId('picture-news').textContent();

// From now on, how many messages are drawn on their way.
const countWays = (tab) => tab.evaluate(() => {
  window.waysDrawn = 0;
  new MutationObserver((changes) => { for (const { addedNodes } of changes) window.waysDrawn += addedNodes.length; })
    .observe(document.getElementById('picture-ways'), { childList: true });
});

// Of each text of the picture against what is behind it (WCAG 2.2, 1.4.3), the least.
const leastContrast = (tab) => tab.evaluate(() => {
  const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const light = (color) => {
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b] = [...canvas.getImageData(0, 0, 1, 1).data].map((byte) => byte / 255)
      .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ratios = [...document.querySelectorAll('#picture .node text, #picture .tab text')].map((text) => {
    const pair = [getComputedStyle(text).fill, getComputedStyle(text.parentElement.firstElementChild).fill].map(light);
    return (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
  });
  return Math.min(...ratios);
});

async function isLegible(tab) {
  for (const colorScheme of ['light', 'dark']) {
    await tab.emulateMedia({ colorScheme });
    await screenshot(tab, `picture-${colorScheme}`);
    const least = await leastContrast(tab);
    assert.ok(least >= 4.5, `${colorScheme}: ${least}`);
  }
}

async function standsStillAndFits(tab, other) {
  await tab.emulateMedia({ reducedMotion: 'reduce' });
  await tab.setViewportSize({ width: 360, height: 740 });
  await tab.bringToFront();
  await countWays(tab);
  await say(other, 'without a move');
  await tab.locator('#picture .link.busy').first().waitFor();
  assert.equal(await tab.evaluate(() => window.waysDrawn), 0);
  assert.equal(await tab.locator('#picture .tab').first().evaluate((mark) => getComputedStyle(mark).transitionDuration), '0s');
  assert.ok(await tab.evaluate(() => document.documentElement.scrollWidth <= innerWidth &&
    [...document.querySelectorAll('#picture *')].every((mark) => {
      const { left, right } = mark.getBoundingClientRect();
      return left >= 0 && right <= innerWidth;
    })));
  await screenshot(tab, 'picture-phone');
}

scenario('the picture shows replicas, tabs and messages, a replica that dies, and its return', async (world) => {
  const { replicas, tabs } = await threeTabs(world);
  const nodes = await Promise.all(tabs.map(connectedTo));
  for (const tab of tabs) {
    for (const replica of replicas) await node(tab, replica.name, 'up').waitFor();
    for (const [i, user] of USERS.entries()) await dot(tab, user, nodes[i]).waitFor();
    assert.equal(await links(tab), 3);
    assert.equal(await tab.locator('#picture .tab.me').count(), 1);
  }
  assert.equal(await name(tabs[0]), '3 replicas; those that are up are linked with each other. ' + replicas.map((replica) => {
    const i = nodes.indexOf(replica.name);
    return `${replica.name}${i === 0 ? ', yours,' : ''} is up with ${USERS[i]}${i === 0 ? ' (this tab)' : ''}`;
  }).join('; ') + '.');
  assert.equal(await news(tabs[0]), '3 replicas, one chat ');
  await isLegible(tabs[0]);

  await tabs[0].bringToFront(); // nothing is drawn where nobody looks
  await countWays(tabs[0]);
  await say(tabs[1], 'on its way');
  await until('all its ways are drawn', () => tabs[0].evaluate(() => window.waysDrawn === 5)); // 1 in, 2 over, 2 out
  await until('and at their ends', async () => await tabs[0].getByTestId('picture-way').count() === 0);
  await standsStillAndFits(tabs[2], tabs[1]);

  const victim = replicas.find((replica) => replica.name === nodes[1]);
  await victim.kill('SIGKILL');
  for (const tab of tabs) await node(tab, victim.name, 'down').waitFor();
  const next = await until('Ben is elsewhere', async () => {
    const now = await connectedTo(tabs[1]);
    return now !== victim.name && now;
  });
  for (const [i, tab] of tabs.entries()) {
    await dot(tab, 'Ben', next).waitFor();
    assert.equal(await links(tab), 1);
    await until('it says so', async () => (await name(tab)).includes(`${victim.name} is down`));
    assert.match(await news(tab), new RegExp(`${i === 1 ? 'This tab' : 'Ben'} is on ${next} now\\. `));
  }
  await isLegible(tabs[0]);

  const other = replicas.find((replica) => replica !== victim);
  await world.replica({ name: victim.name, listen: victim.host, joins: [other.mesh], ...SOON });
  for (const tab of tabs) {
    await node(tab, victim.name, 'up').waitFor();
    assert.equal(await links(tab), 3);
    assert.match(await news(tab), new RegExp(`${victim.name} is up\\. $`));
    assert.deepEqual(tab.errors, []);
  }
});

scenario('a replica that is alone draws nothing', async (world) => {
  const alpha = await world.replica({ name: 'alpha' });
  const tab = await openTab(await browser(world), alpha.page, 'lobby', 'Anna');
  await tab.getByTestId('person').waitFor();
  assert.ok(!await tab.getByTestId('cluster').isVisible());
});
