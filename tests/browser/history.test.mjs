// A tab that was away shows what it missed, or says that something may be missing; a new one begins with the last lines.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { scenario, SOON, until } from '../cluster/replica.mjs';
import { balancer, browser, connectedTo, openTab, say, screenshot, texts } from './world.mjs';

function keeping(world) {
  const directory = mkdtempSync(join(tmpdir(), 'wsfan-history-'));
  world.closing(() => rmSync(directory, { recursive: true, force: true }));
  const file = join(directory, 'history.key');
  writeFileSync(file, 'of the replicas of these tests\n');
  return { args: ['--history', '60', '--history-key', file, ...SOON.args] };
}

const shows = (tab, text) => tab.getByTestId('message-text').getByText(text, { exact: true }).waitFor();
const lines = (from, count) => Array.from({ length: count }, (_, i) => `line ${from + i}`);

// At once, as from a program.
async function sayAll(tab, all) {
  await tab.evaluate((texts_) => { for (const text of texts_) socket.send(text); }, all);
  await shows(tab, all.at(-1));
}

const warnings = (tab) => tab.locator('.notice.warn').allTextContents();

scenario('a tab that was offline while its replica was killed shows the missing lines, once and in order',
  async (world) => {
    const replicas = await world.cluster('alpha', 'beta', 'gamma', keeping(world));
    const page = await balancer(world, replicas);
    const here = await browser(world), away = await browser(world);
    const anna = await openTab(here, page, 'lobby', 'Anna');
    const ben = await openTab(away, page, 'lobby', 'Ben');
    await sayAll(anna, lines(0, 2));
    await say(ben, 'I am in a train');
    await shows(ben, 'line 1');
    await shows(ben, 'I am in a train');
    const before = await texts(ben);

    const node = await connectedTo(ben);
    await away.setOffline(true);
    await replicas.find((replica) => replica.name === node).kill('SIGKILL');
    await ben.locator('body:not([data-state=connected])').waitFor();
    await until('Anna is connected', () => anna.evaluate(() => document.body.dataset.state === 'connected'));
    const missed = lines(2, 60);
    await sayAll(anna, missed);
    assert.deepEqual(await texts(ben), before);
    await away.setOffline(false);
    await shows(ben, missed.at(-1));
    assert.notEqual(await connectedTo(ben), node);
    assert.deepEqual(await texts(ben), [...before, ...missed]);
    await sayAll(anna, ['live again']);
    await shows(ben, 'live again');
    assert.deepEqual(await texts(ben), [...before, ...missed, 'live again']);
    assert.deepEqual(await warnings(ben), []);
    await screenshot(ben, 'caught-up');

    const last = [...before, ...missed, 'live again'].slice(-50);
    await ben.reload();
    const carl = await openTab(away, page, 'lobby', 'Carl');
    for (const tab of [ben, carl]) {
      await shows(tab, 'live again');
      assert.deepEqual(await texts(tab), last);
      assert.deepEqual(await warnings(tab), []);
    }

    // However much was said meanwhile.
    const address = ben.url();
    await ben.goto('about:blank');
    await sayAll(anna, lines(100, 60));
    await ben.goto(address);
    await shows(ben, 'line 159');
    assert.deepEqual(await texts(ben), [...last, ...lines(100, 60)]);
    assert.deepEqual(await warnings(ben), []);
    for (const tab of [anna, ben, carl]) assert.deepEqual(tab.errors, []);
  });

scenario('what a tab said itself is its own after a reload, and nobody reads earlier lines out', async (world) => {
  const alpha = await world.replica({ name: 'alpha', ...keeping(world) });
  const context = await browser(world);
  const anna = await openTab(context, alpha.page, 'lobby', 'Anna');
  await say(anna, 'my own');
  await shows(anna, 'my own');
  const ben = await openTab(context, alpha.page, 'lobby', 'Ben');
  await shows(ben, 'my own');
  assert.equal(await ben.locator('.message.own').count(), 0);
  await anna.reload();
  await shows(anna, 'my own');
  assert.equal(await anna.locator('.message.own').count(), 1);
  const live = () => anna.getByTestId('messages').getAttribute('aria-live');
  assert.equal(await live(), 'off');
  await say(ben, 'news');
  await shows(anna, 'news');
  assert.equal(await live(), 'polite');
});

scenario('a tab that cannot be told all it missed says so in one line', async (world) => {
  const options = keeping(world);
  const alpha = await world.replica({ name: 'alpha', ...options });
  const tab = await openTab(await browser(world, { viewport: { width: 360, height: 740 } }), alpha.page,
    'lobby', 'Anna');
  await say(tab, 'before');
  await shows(tab, 'before');
  await alpha.kill('SIGKILL');
  await tab.locator('body[data-state=waiting]').waitFor();
  await world.replica({ name: 'alpha', listen: alpha.host, ...options });
  await until('it is back', () => tab.evaluate(() => document.body.dataset.state === 'connected' ||
    reconnectNow()));
  await tab.getByText('Some messages may be missing', { exact: true }).waitFor();
  assert.deepEqual(await warnings(tab), ['Some messages may be missing']);
  await say(tab, 'after');
  await shows(tab, 'after');
  assert.deepEqual(await texts(tab), ['before', 'after']);
  await screenshot(tab, 'may-be-missing');
});
