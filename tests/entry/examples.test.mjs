// The programs of examples/entry.

import assert from 'node:assert/strict';
import { copyFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { Client, directory, ends, entry, natsServer, root, scenario, until } from './entry.mjs';

// Beside the module that they import.
function example(world, name) {
  const path = directory(world);
  symlinkSync(join(root, 'tests/entry/node_modules'), join(path, 'node_modules'));
  copyFileSync(join(root, 'examples/entry', name), join(path, name));
  return join(path, name);
}

async function world_of(world) {
  const nats = await natsServer(world);
  const alpha = await world.replica({ name: 'alpha' });
  const door = await entry(world, nats, alpha, 'door', '--taps', '2');
  const anna = await Client.join(world, alpha, 'lobby', 'anna');
  return { nats, door, anna };
}

scenario('publish.mjs sends a message, and says that everyone has it', async (world) => {
  const { nats, door, anna } = await world_of(world);
  const child = world.run(process.execPath, [example(world, 'publish.mjs'), nats.url, 'lobby', 'of Node']);
  await child.exited;
  assert.equal(child.exit.code, 0, child.story());
  await anna.frame((frame) => frame.text === 'of Node');
  await ends(door);
});

scenario('bot.mjs hears a chat and answers', async (world) => {
  const { nats, door, anna } = await world_of(world);
  const child = world.run(process.execPath, [example(world, 'bot.mjs'), nats.url, 'lobby']);
  await until('it has a lease', () => /complete: true/.test(child.stdout));
  anna.say('!ping');
  await anna.frame((frame) => frame.text === 'pong');
  await ends(door);
});

const scenario_in_c = process.env.ENTRY_PUBLISH ? scenario : () => {};
scenario_in_c('publish.c does the same', async (world) => {
  const { nats, door, anna } = await world_of(world);
  const child = world.run(process.env.ENTRY_PUBLISH, [nats.url, 'lobby', 'of C']);
  await child.exited;
  assert.equal(child.exit.code, 0, child.story());
  assert.equal(JSON.parse(child.stdout).complete, true);
  await anna.frame((frame) => frame.text === 'of C');
  await ends(door);
});
