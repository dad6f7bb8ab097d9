// The thin WebSocket tier: the service with the data is one process, the sockets are at replicas that
// know nothing of it.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { meshed, root, scenario, until } from '../cluster/replica.mjs';
import { balancer, browser } from './world.mjs';

const program = process.env.THIN_CLIENT || `${root}build/examples/thin-client/thin-client`;

async function service(world, store, sockets, replica, port = 0) {
  const child = world.run(program, ['--store', store, '--sockets', sockets, '--listen', `${port}`,
    '--mesh', 'tcp://127.0.0.1:*', '--join', replica.mesh]);
  const [, page] = await child.printed(/^ready: page (\S+)$/m);
  // Until the mesh stands: a publisher is a peer as any other.
  await until('the replicas see it', async () => (await replica.stats()).peers_up === 3);
  return Object.assign(child, { page });
}

const items = (tab) => tab.getByTestId('item').allTextContents();
const shows = (tab, list) => until(`${list}`, async () => `${await items(tab)}` === `${list}`);

async function post(tab, text) {
  await tab.getByLabel('Message').fill(text);
  await tab.getByRole('button', { name: 'Post' }).click();
}

scenario('pages post by REST, hear over sockets of other replicas, fetch, and recover by fetching',
  async (world) => {
    const replicas = [];
    for (const name of ['alpha', 'beta', 'gamma'])
      replicas.push(await world.replica({ name, joins: replicas.slice(0, 1).map((r) => r.mesh),
        args: ['--origin', '*'] }));
    await meshed(replicas);
    const sockets = (await balancer(world, replicas)).replace('http:', 'ws:').replace(/\/$/, '');
    const directory = mkdtempSync(join(tmpdir(), 'wsfan-thin-'));
    world.closing(() => rmSync(directory, { recursive: true, force: true }));
    const rest = await service(world, join(directory, 'store'), sockets, replicas[0]);

    const context = await browser(world);
    const tabs = [];
    for (let i = 0; i < 3; i++) {
      const tab = await context.newPage();
      await tab.goto(`${rest.page}?chat=lobby&user=u${i}`);
      await tab.getByTestId('state').getByText('told by').waitFor();
      tabs.push(tab);
    }
    const told = await Promise.all(tabs.map((tab) => tab.getByTestId('state').textContent()));
    assert.deepEqual(told.map((text) => text.slice('told by '.length)).sort(),
      ['alpha', 'beta', 'gamma']);

    await post(tabs[0], 'one <b>é');
    for (const tab of tabs) await shows(tab, ['u0: one <b>é']);
    // Not a byte of the text went over the mesh, only that something changed.
    const bytes = (await replicas[1].stats()).peers.reduce((sum, p) => sum + p.payload_bytes_in, 0);
    await post(tabs[1], 'x'.repeat(1000));
    for (const tab of tabs) await until('two', async () => (await items(tab)).length === 2);
    const more = (await replicas[1].stats()).peers.reduce((sum, p) => sum + p.payload_bytes_in, 0);
    assert.ok(more > bytes && more - bytes < 400, `${more - bytes} bytes`);
    await until('the service heard that all were told', async () =>
      (await (await fetch(new URL('about', rest.page))).json()).told === 2);

    // A replica dies; what is posted while its tab is away is there when it is back.
    const lost = tabs[told.indexOf('told by gamma')];
    const others = tabs.filter((tab) => tab !== lost);
    await replicas[2].kill('SIGKILL');
    await post(others[0], 'three');
    for (const tab of tabs) await until('three', async () => (await items(tab)).length === 3);
    await lost.getByTestId('state').getByText('told by').waitFor();
    await post(lost, 'four');
    for (const tab of tabs) await until('four', async () => (await items(tab)).length === 4);
    const all = await Promise.all(tabs.map(items));
    for (const list of all) assert.deepEqual(list, all[0]);

    // What is wrong is told.
    const url = new URL('items', rest.page);
    for (const [body, status] of [['{', 422], ['{"chat":"a","user":"b"}', 422],
      [JSON.stringify({ chat: 'a', user: 'b', text: 'x'.repeat(4097) }), 422],
      ['x'.repeat(40000), 413]])
      assert.equal((await fetch(url, { method: 'POST', body,
        headers: { 'content-type': 'application/json' } })).status, status);
    assert.equal((await fetch(url)).status, 400);
    assert.deepEqual(await rest.kill('SIGTERM'), { code: 0, signal: null });
  });
