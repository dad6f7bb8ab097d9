// The admin page ends a user's connections, wherever they are, and nobody else's page does.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { scenario, SOON, until } from '../cluster/replica.mjs';
import { browser, connectedTo, say, screenshot } from './world.mjs';

const TOKEN = 'öffne dich, sesame';

const bearer = (token) => ({ authorization: `Bearer ${Buffer.from(token).toString('latin1')}` });

async function tabAt(context, replica, user, more = {}) {
  const tab = await context.newPage();
  await tab.goto(`${replica.page}?${new URLSearchParams({ chat: 'lobby', user, ...more })}`);
  return tab;
}

async function enter(tab, token) {
  await tab.getByTestId('token-input').fill(token);
  await tab.getByTestId('apply').click();
}

const problem = (tab, text) => tab.getByRole('alert').getByText(text, { exact: true }).waitFor();
const person = (tab, user) => tab.locator(`[data-testid=person][data-user="${user}"]`);

scenario('the admin page kicks a user from all replicas, and only with the token', async (world) => {
  const folder = mkdtempSync(join(tmpdir(), 'wsfan-kick-'));
  world.closing(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(join(folder, 'token'), `${TOKEN}\n`);
  const [alpha, beta, gamma] = await world.cluster('alpha', 'beta', 'gamma',
    { args: [...SOON.args, '--token', join(folder, 'token')], headers: bearer(TOKEN) });
  const context = await browser(world);

  // The page asks for the token, says when it is wrong, and keeps it over a reload.
  const admin = await tabAt(context, alpha, 'Root', { admin: '' });
  await problem(admin, 'This server needs a token.');
  await screenshot(admin, 'token');
  await enter(admin, 'wrong');
  await problem(admin, 'The server does not take this token.');
  await enter(admin, TOKEN);
  assert.equal(await connectedTo(admin), 'alpha');
  await admin.reload();
  assert.equal(await connectedTo(admin), 'alpha');
  assert.ok(!admin.url().includes('token'), admin.url());

  const tabs = [];
  for (const replica of [beta, gamma]) {
    const tab = await tabAt(context, replica, 'Anna');
    await enter(tab, TOKEN);
    assert.equal(await connectedTo(tab), replica.name);
    await tab.evaluate(() => {
      window.ends = [];
      const told = lost;
      lost = ({ code, reason }) => { ends.push({ code, reason }); told({ code, reason }); };
    });
    tabs.push(tab);
  }
  const witness = await tabAt(context, gamma, 'Ben');
  await enter(witness, TOKEN);
  await person(admin, 'Anna').getByText('2 tabs').waitFor();
  assert.equal(await person(witness, 'Anna').getByTestId('kick').count(), 0); // no ?admin
  await screenshot(admin, 'admin');

  // From where an attacker would: without the token, with another, from a page of another site.
  const kick = async (headers, more = '') => (await fetch(
    new URL(`kick?user=Anna${more}`, alpha.page), { method: 'POST', headers })).status;
  assert.equal(await kick({}), 401);
  assert.equal(await kick(bearer('wrong')), 401);
  assert.equal(await kick({}, '&token=wrong'), 401);
  assert.equal(await kick({ ...bearer(TOKEN), origin: 'https://evil.example' }), 403);
  // And by a page that has lost the token: it asks for it.
  await admin.evaluate(() => keepToken('stale'));
  await person(admin, 'Anna').getByTestId('kick').click();
  await problem(admin, 'The server does not take this token.');
  for (const tab of tabs) {
    await say(tab, `still at ${await connectedTo(tab)}`);
    await witness.getByText(`still at ${await connectedTo(tab)}`, { exact: true }).waitFor();
    assert.deepEqual(await tab.evaluate(() => ends), []);
  }

  await enter(admin, TOKEN);
  assert.equal(await connectedTo(admin), 'alpha');
  await person(admin, 'Anna').getByTestId('kick').click();
  for (const tab of tabs) {
    await problem(tab, 'You were removed: kicked');
    assert.deepEqual(await tab.evaluate(() => ends), [{ code: 4001, reason: 'kicked' }]);
    assert.equal(await tab.getByTestId('status').textContent(), 'Removed');
  }
  await screenshot(tabs[0], 'kicked');
  for (const tab of [admin, witness])
    await until('Anna is gone', async () => await person(tab, 'Anna').count() === 0 &&
      await tab.getByTestId('totals').textContent() === '2 members, 2 tabs');
  for (const tab of tabs) assert.equal((await tab.evaluate(() => ends)).length, 1); // it stays away
});
