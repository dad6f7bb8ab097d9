// The demo, as a new user starts it: one address, three replicas behind it, and nothing left over.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { freePort, root, scenario, until } from '../cluster/replica.mjs';
import { browser, connectedTo, openTab, say } from './world.mjs';

const BUILD_MS = 110000; // the first run builds

// Of processes that are not our children: gone, or a zombie that nobody asks for.
function isGone(pid) {
  try {
    return /\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'latin1'));
  } catch {
    return true;
  }
}

scenario('sh examples/demo.sh serves three replicas at one address, and leaves nothing behind',
  async (world) => {
    const port = await freePort();
    const demo = world.run('sh', [`${root}examples/demo.sh`, `${port}`]);
    // What kills the demo the hard way when this fails half-way: its own way out.
    world.closing(() => demo.kill('SIGTERM'));
    const [, page] = await until('it prints an address',
      () => /open (http:\S+) in/.exec(demo.stdout) || (demo.exit && [demo.story()]), BUILD_MS);
    assert.equal(page, `http://127.0.0.1:${port}/`);
    const pids = [...demo.stdout.matchAll(/pid (\d+)$/gm)].map(([, pid]) => Number(pid));
    assert.equal(pids.length, 4);
    for (const pid of pids) assert.ok(!isGone(pid));

    const context = await browser(world);
    const tabs = [];
    for (let i = 0; i < 3; i++) tabs.push(await openTab(context, page, 'lobby', `user ${i}`));
    assert.deepEqual((await Promise.all(tabs.map(connectedTo))).sort(), ['alpha', 'beta', 'gamma']);
    await say(tabs[0], 'to all');
    for (const tab of tabs) await tab.getByTestId('message-text').getByText('to all').waitFor();

    const second = world.run('sh', [`${root}examples/demo.sh`, `${port}`]);
    const { code } = await until('a second one on this port gives up', () => second.exit, BUILD_MS);
    assert.equal(code, 1);
    assert.match(second.stderr, new RegExp(`port ${port} is in use`));

    const { code: ended, signal } = await demo.kill('SIGTERM');
    assert.ok(signal === 'SIGTERM' || ended === 143, demo.story());
    for (const pid of pids) assert.ok(isGone(pid), `process ${pid} is left: ${demo.story()}`);
    assert.equal(demo.stderr, '');
  });

scenario('sh examples/demo.sh --kill kills replicas and brings them back: tabs go elsewhere', async (world) => {
  const port = await freePort();
  const demo = world.run('sh', [`${root}examples/demo.sh`, '--kill', `${port}`],
    { env: { ...process.env, PAUSE: '2' } });
  world.closing(() => demo.kill('SIGTERM'));
  const page = `http://127.0.0.1:${port}/`;
  await until('it is ready', () => demo.stdout.includes(`open ${page}`) || (demo.exit && assert.fail(demo.story())), BUILD_MS);
  const tab = await openTab(await browser(world), page, 'lobby', 'Anna');
  const node = (state) => tab.locator(`[data-testid=picture-node][data-node=beta][data-state=${state}]`);
  await node('down').waitFor();
  await node('up').waitFor();
  const first = await connectedTo(tab);
  if (first !== 'beta') await until('its own has been killed', async () => await connectedTo(tab) !== first);
  assert.deepEqual(tab.errors, []);
  await demo.kill('SIGTERM');
  for (const [, pid] of demo.stdout.matchAll(/pid (\d+)$/gm)) assert.ok(isGone(pid), `process ${pid} is left`);
  assert.equal(demo.stderr, '');
});

scenario('a bad port is told', async (world) => {
  const demo = world.run('sh', [`${root}examples/demo.sh`, 'http']);
  const { code } = await until('it ends', () => demo.exit);
  assert.equal(code, 1);
  assert.match(demo.stderr, /the port must be a number from 1 to 65535, not 'http'/);
});
