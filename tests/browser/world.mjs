// What the browser tests stand on: three replicas, a real HAProxy before them with the demo's
// configuration, and Debian's Chromium.

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { after } from 'node:test';
import { chromium } from 'playwright-core';
import { DEADLINE_MS, freePort, root, until } from '../cluster/replica.mjs';

const artifacts = process.env.ARTIFACTS || `${root}build/artifacts`;

// Until it answers. A free port may be taken by someone else before HAProxy has it: then another.
export async function balancer(world, [alpha, beta, gamma]) {
  for (let tries = 1; ; tries++) {
    const bind = `127.0.0.1:${await freePort()}`;
    const haproxy = world.run('haproxy', ['-db', '-f', `${root}examples/haproxy.cfg`], {
      env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin`, CHAT_BIND: bind,
        CHAT_ALPHA: alpha.host, CHAT_BETA: beta.host, CHAT_GAMMA: gamma.host },
    });
    const page = `http://${bind}/`;
    const answers = () => haproxy.exit ||
      fetch(`${page}healthz`).then((response) => response.ok, () => false);
    await until('HAProxy answers', answers);
    if (!haproxy.exit) return page;
    if (tries === 3) throw new Error(`HAProxy does not start: ${haproxy.story()}`);
  }
}

// One browser for all scenarios of a file, when the first one needs it: it takes seconds to start.
let started = null;
const start = () => chromium.launch({
  executablePath: process.env.CHROMIUM || '/usr/bin/chromium',
  args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
    '--disable-background-networking', '--disable-component-update', '--disable-sync'],
});

export const endBrowser = async () => (await started)?.close();
if (process.argv[1].endsWith('.test.mjs')) after(endBrowser);

// A profile of its own in that browser, which is gone after the scenario.
export async function browser(world, options = {}) {
  started ??= start();
  const context = await (await started).newContext({ viewport: { width: 1000, height: 700 },
    ...options });
  context.setDefaultTimeout(DEADLINE_MS);
  world.closing(() => context.close());
  return context;
}

// A tab that is connected; its uncaught errors and refused scripts are collected in `errors`.
export async function openTab(context, page, chat, user) {
  const tab = await context.newPage();
  tab.errors = [];
  tab.on('pageerror', (error) => tab.errors.push(`${error}`));
  tab.on('console', (line) => {
    if (/Content Security Policy/.test(line.text())) tab.errors.push(line.text());
  });
  await tab.goto(`${page}?${new URLSearchParams({ chat, user })}`);
  await connectedTo(tab);
  return tab;
}

// The replica that the tab says it is connected to.
export async function connectedTo(tab) {
  const status = tab.getByTestId('status').filter({ hasText: /^Connected to / });
  return (await status.textContent()).slice('Connected to '.length);
}

export async function say(tab, text) {
  await tab.getByTestId('text').fill(text);
  await tab.getByTestId('text').press('Enter');
}

export const texts = (tab) => tab.getByTestId('message-text').allTextContents();

export async function screenshot(tab, name) {
  mkdirSync(artifacts, { recursive: true });
  await tab.screenshot({ path: join(artifacts, `${name}.png`) });
}
