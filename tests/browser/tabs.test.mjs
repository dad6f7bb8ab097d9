// Three tabs of a real browser behind a real balancer, each on another replica.

import assert from 'node:assert/strict';
import { Client } from '../cluster/client.mjs';
import { scenario, SOON, until } from '../cluster/replica.mjs';
import { balancer, browser, connectedTo, openTab, say, screenshot, texts } from './world.mjs';

async function threeTabs(world, chat) {
  const replicas = await world.cluster('alpha', 'beta', 'gamma', SOON);
  const page = await balancer(world, replicas);
  const context = await browser(world);
  const tabs = [];
  for (const user of ['Anna', 'Ben', 'Carl']) tabs.push(await openTab(context, page, chat, user));
  return { replicas, page, context, tabs };
}

const person = (tab, user) => tab.locator(`[data-testid=person][data-user="${user}"]`);
const shows = (tab, user, tabs) => person(tab, user).locator('.tabs')
  .getByText(tabs === 1 ? '1 tab' : `${tabs} tabs`, { exact: true }).waitFor();

// From now on, who was shown to leave, and how often members were fewer than `count`.
const watchMembers = (tab, count) => tab.evaluate((least) => {
  window.leaves = [];
  window.gaps = 0;
  const told = handlers.members;
  handlers.members = (frame) => {
    for (const { event, user } of frame.members) if (event === 'leave') window.leaves.push(user);
    told(frame);
    if (document.querySelectorAll('[data-testid=person]').length < least) window.gaps++;
  };
}, count);

const everywhere = (tabs, text) => Promise.all(tabs.map((tab) =>
  tab.getByTestId('message-text').getByText(text, { exact: true }).waitFor()));

scenario('each of three tabs is on another replica and sees each message once', async (world) => {
  const { tabs } = await threeTabs(world, 'lobby');
  const nodes = await Promise.all(tabs.map(connectedTo));
  assert.deepEqual([...nodes].sort(), ['alpha', 'beta', 'gamma']);
  const said = ['Hello, is anyone on another replica?', 'Yes: <b>me</b> & "you"', 'Me too'];
  for (const [i, tab] of tabs.entries()) {
    await say(tab, said[i]);
    await everywhere(tabs, said[i]);
  }
  for (const tab of tabs) {
    assert.deepEqual(await texts(tab), said);
    assert.equal(await tab.locator('.text b').count(), 0);
    const badges = await tab.getByTestId('message').locator('.badge').allTextContents();
    assert.deepEqual(badges, nodes);
    await until('all three people are shown', () => tab.getByTestId('person').count()
      .then((count) => count === 3));
    for (const [i, user] of ['Anna', 'Ben', 'Carl'].entries()) {
      const places = person(tab, user).locator('.badge');
      assert.deepEqual(await places.allTextContents(), [nodes[i]]);
    }
    await until('all have been counted', async () => // until then: "at least"
      await tab.getByTestId('totals').textContent() === '3 members, 3 tabs');
    assert.deepEqual(tab.errors, []);
  }
  await screenshot(tabs[0], 'one-of-three-tabs');
});

scenario('kill -9 of a replica: its tab keeps its text, reconnects elsewhere and goes on',
  async (world) => {
    const { replicas, tabs } = await threeTabs(world, 'lobby');
    await say(tabs[0], 'before');
    await everywhere(tabs, 'before');
    const node = await connectedTo(tabs[1]);
    const victim = replicas.find((replica) => replica.name === node);
    await tabs[1].getByTestId('text').fill('written before the loss');
    await victim.kill('SIGKILL');
    await tabs[1].locator('body:not([data-state=connected])').waitFor();
    const next = await until('connected elsewhere', async () => {
      const now = await connectedTo(tabs[1]);
      return now !== node && now;
    });
    assert.ok(replicas.some((replica) => replica.name === next && replica !== victim));
    assert.equal(await tabs[1].getByTestId('text').inputValue(), 'written before the loss');
    await tabs[1].getByTestId('text').press('Enter');
    await everywhere(tabs, 'written before the loss');
    await say(tabs[0], 'after');
    await everywhere(tabs, 'after');
    for (const tab of tabs) {
      assert.deepEqual(await texts(tab), ['before', 'written before the loss', 'after']);
      await tab.locator(`[data-testid=replica][data-node=${node}][data-state=down]`).waitFor();
      await until('all three are shown', async () => await tab.getByTestId('person').count() === 3);
      assert.deepEqual(tab.errors, []);
    }
    const back = await tabs[1].locator('[data-kind=back]').textContent();
    assert.match(back, new RegExp(`again, to ${next},`));
    await screenshot(tabs[1], 'after-kill');
  });

scenario('three tabs of one user are one member with three tabs', async (world) => {
  const grace = 8; // covers a reload on a busy machine
  const replicas = await world.cluster('alpha', 'beta', 'gamma',
    { args: ['--down', '4', '--grace', `${grace}`] });
  const page = await balancer(world, replicas);
  const context = await browser(world);
  const watcher = await openTab(context, page, 'lobby', 'Watcher');
  const tabs = [];
  for (let i = 0; i < 3; i++) tabs.push(await openTab(context, page, 'lobby', 'Anna'));
  for (const tab of [watcher, ...tabs]) {
    await shows(tab, 'Anna', 3);
    assert.equal(await tab.getByTestId('person').count(), 2);
  }
  await until('on three replicas', async () =>
    new Set(await person(watcher, 'Anna').locator('.badge').allTextContents()).size > 1);
  await watchMembers(watcher, 2);

  await tabs[2].close();
  await tabs[1].close();
  await shows(watcher, 'Anna', 1);
  await tabs[0].reload();
  await connectedTo(tabs[0]);
  await shows(watcher, 'Anna', 1);

  // Its replica dies: the tab comes back on another one before Anna could be thought to have left.
  const node = await connectedTo(tabs[0]);
  await shows(tabs[0], 'Watcher', 1);
  if (await connectedTo(watcher) !== node) {
    await replicas.find((replica) => replica.name === node).kill('SIGKILL');
    await until('connected elsewhere', async () => await connectedTo(tabs[0]) !== node);
    await until('Anna is shown there alone', async () => {
      const places = await person(watcher, 'Anna').locator('.badge').allTextContents();
      return places.length === 1 && places[0] !== node;
    });
  }
  const until_ms = Date.now() + grace * 1000 + 2000;
  await until('a leave would have been told', () => Date.now() > until_ms);
  assert.deepEqual(await watcher.evaluate(() => window.leaves), []);
  assert.equal(await watcher.evaluate(() => window.gaps), 0);
  assert.deepEqual(watcher.errors, []);
  await screenshot(watcher, 'one-member');

  await tabs[0].close();
  await until('Anna has left', () => watcher.getByTestId('person').count().then((n) => n === 1));
  assert.deepEqual(await watcher.evaluate(() => window.leaves), ['Anna']);
});

scenario('who types is shown to the others, while it lasts', async (world) => {
  const { tabs } = await threeTabs(world, 'lobby');
  await tabs[0].getByTestId('text').pressSequentially('Well');
  for (const tab of tabs.slice(1))
    await tab.getByTestId('typing').getByText('Anna is typing…').waitFor();
  assert.equal(await tabs[0].getByTestId('typing').textContent(), '');
  await tabs[0].getByTestId('text').press('Enter');
  for (const tab of tabs.slice(1))
    await until('said', async () => await tab.getByTestId('typing').textContent() === '');
  await everywhere(tabs, 'Well');
});

scenario('the balancer moves the tab of a replica that is frozen', async (world) => {
  const { replicas, tabs } = await threeTabs(world, 'lobby');
  const node = await connectedTo(tabs[2]);
  const frozen = replicas.find((replica) => replica.name === node);
  frozen.process.kill('SIGSTOP');
  await until('connected elsewhere', async () => await connectedTo(tabs[2]) !== node);
  await say(tabs[2], 'somewhere warm');
  await everywhere(tabs, 'somewhere warm');
  frozen.process.kill('SIGCONT');
});

scenario('while nothing answers, the tab counts down, keeps the text and can be hurried',
  async (world) => {
    const alpha = await world.replica({ name: 'alpha' });
    const context = await browser(world);
    const tab = await openTab(context, alpha.page, 'lobby', 'Anna');
    await alpha.kill('SIGKILL');
    await tab.getByTestId('countdown').getByText(/next try in \d+ s/).waitFor();
    await tab.getByTestId('text').fill('kept');
    await tab.getByTestId('hint').getByText('kept until you are connected').waitFor();
    assert.ok(await tab.getByTestId('send').isDisabled());
    assert.equal(await tab.getByTestId('people-toggle').textContent(), 'People'); // not "People 0"
    // Late enough for a pause that one would not want to sit through.
    await until('six tries have failed', () => tab.evaluate(() => attempt >= 6 || reconnectNow()));
    await tab.waitForFunction(() => document.body.dataset.state === 'waiting');
    await screenshot(tab, 'reconnecting');
    await world.replica({ name: 'alpha', listen: alpha.host });
    await tab.getByTestId('reconnect').click();
    await connectedTo(tab);
    await tab.getByTestId('send').click();
    await everywhere([tab], 'kept');
  });

scenario('name and chat can be changed, and a refusal says why', async (world) => {
  const alpha = await world.replica({ name: 'alpha' });
  const context = await browser(world);
  const tab = await openTab(context, alpha.page, 'lobby', 'Anna');
  const other = await openTab(context, alpha.page, 'kitchen', 'Ben');
  await tab.getByTestId('change').click();
  await tab.getByTestId('user-input').fill('Anna Belle');
  await tab.getByTestId('chat-input').fill('kitchen');
  await tab.getByTestId('apply').click();
  await other.getByTestId('person').getByText('Anna Belle').waitFor();
  await connectedTo(tab);
  await say(tab, 'in the kitchen');
  await everywhere([tab, other], 'in the kitchen');
  assert.match(tab.url(), /chat=kitchen&user=Anna\+Belle/);
  const remembered = await context.newPage();
  await remembered.goto(alpha.page);
  await connectedTo(remembered);
  assert.match(await remembered.getByTestId('change').textContent(), /Anna Belle/);

  const refused = await context.newPage();
  await refused.goto(`${alpha.page}?chat=${'c'.repeat(129)}&user=Anna`);
  await refused.getByText("the chat's name is longer than 128 bytes").waitFor();
});

scenario('gaps and replicas that come and go are shown', async (world) => {
  const alpha = await world.replica({ name: 'alpha' });
  const context = await browser(world);
  const tab = await openTab(context, alpha.page, 'lobby', 'Anna');
  const beta = await world.replica({ name: 'beta', joins: [alpha.mesh] });
  await tab.getByText('beta is up', { exact: true }).waitFor();
  await beta.kill('SIGTERM');
  await tab.getByText('beta has left', { exact: true }).waitFor();
  // A real gap takes megabytes to make; what the page does with the frame is the same.
  await tab.evaluate(() => receive({ type: 'gap', node: 'beta', count: 3 }));
  await tab.locator('[data-kind=gap]').getByText('3 messages from beta may be missing').waitFor();
});

for (const colorScheme of ['light', 'dark'])
  scenario(`the page fits a phone, ${colorScheme}`, async (world) => {
    const alpha = await world.replica({ name: 'alpha' });
    const context = await browser(world, { viewport: { width: 360, height: 740 }, colorScheme });
    const tab = await openTab(context, alpha.page, 'a chat with a rather long name', 'Anna');
    await say(tab, `${'wide'.repeat(60)} and a sentence of ordinary words after it`);
    await say(tab, 'short');
    await everywhere([tab], 'short');
    const fits = () => tab.evaluate(() => document.documentElement.scrollWidth <= innerWidth &&
      [...document.querySelectorAll('body *')].every((element) =>
        element.getBoundingClientRect().right <= innerWidth + 0.5));
    assert.ok(await fits(), 'nothing is wider than the screen');
    await screenshot(tab, `phone-${colorScheme}`);
    await tab.getByTestId('people-toggle').click();
    await tab.getByTestId('person').getByText('Anna (you)').waitFor();
    assert.ok(await fits(), 'nor among the people');
    await screenshot(tab, `phone-people-${colorScheme}`);
  });

scenario('of a large chat a page of names is shown, and all when they are asked for', async (world) => {
  const alpha = await world.replica({ name: 'alpha', args: ['--grace', '0'] });
  const crowd = [];
  for (let i = 100; i < 250; i++) crowd.push(new Client(world, alpha.address('lobby', `user ${i}`)));
  await until('all are in', () => crowd.every((client) => client.of('joined').length > 0));
  const tab = await openTab(await browser(world), alpha.page, 'lobby', 'Zoe');
  await tab.getByTestId('totals').getByText('151 members, 151 tabs; 100 by name', { exact: true }).waitFor();
  const people = tab.getByTestId('person');
  assert.equal(await people.count(), 100);
  await tab.getByTestId('names').click();
  await until('a page is shown', async () => await people.count() === 128);
  await tab.getByTestId('names').getByText('More of them').click();
  await until('all are shown', async () => await people.count() === 151);
  crowd[0].socket.close();
  crowd.push(await Client.join(world, alpha, 'lobby', 'user 250'));
  crowd.push(await Client.join(world, alpha, 'lobby', 'user 251'));
  await tab.getByTestId('totals').getByText('152 members, 152 tabs; 151 by name', { exact: true }).waitFor();
  await tab.getByTestId('names').getByText('List them').click();
  await until('they are asked for anew', async () => await people.count() === 128);
  assert.deepEqual(tab.errors, []);
});
