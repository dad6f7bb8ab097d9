// With --placement redirect the page goes where its chat is, and follows when that changes.

import { freePort, meshed, scenario, until } from '../cluster/replica.mjs';
import { browser, connectedTo, openTab, say } from './world.mjs';

async function start(world, name, others) {
  const host = `127.0.0.1:${await freePort()}`;
  return world.replica({ name, listen: host, joins: others.map((r) => r.mesh),
    args: ['--placement', 'redirect', '--public', host, '--origin', '*'] });
}

const ownerOf = async (replica, chat) =>
  (await (await fetch(new URL(`owner?chat=${chat}`, replica.page))).json()).node;

scenario('the page follows its chat to the replica that owns it', async (world) => {
  const alpha = await start(world, 'alpha', []);
  const beta = await start(world, 'beta', [alpha]);
  await meshed([alpha, beta]);
  let chat;
  await until('beta owns a chat', async () => {
    for (let i = 0; i < 20; i++)
      if (await ownerOf(alpha, chat = `room-${i}`) === 'beta' && await ownerOf(beta, chat) === 'beta')
        return true;
    return false;
  });
  const context = await browser(world);
  const one = await openTab(context, alpha.page, chat, 'one'); // by the wrong door
  const two = await openTab(context, beta.page, chat, 'two');
  for (const tab of [one, two]) await until('it is at beta', async () => await connectedTo(tab) === 'beta');
  await say(one, 'found it');
  await two.getByTestId('message-text').getByText('found it').waitFor();

  beta.process.kill('SIGTERM'); // its chats are alpha's now
  await beta.exited;
  await until('the page is at alpha', async () => await connectedTo(one) === 'alpha');
  await say(one, 'still here');
  await one.getByTestId('message-text').getByText('still here').waitFor();
});
