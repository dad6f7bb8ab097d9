// A real browser over TLS, and before a replica that hangs.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import http2 from 'node:http2';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import tls from 'node:tls';
import { haproxy, nginx } from '../cluster/balancers.mjs';
import { scenario, until } from '../cluster/replica.mjs';
import { browser, connectedTo, openTab, say, screenshot, texts } from './world.mjs';

function certificate(world) {
  const path = mkdtempSync(join(tmpdir(), 'wsfan-tls-'));
  world.closing(() => rmSync(path, { recursive: true, force: true }));
  const [cert, key] = [join(path, 'cert.pem'), join(path, 'key.pem')];
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256',
    '-nodes', '-keyout', key, '-out', cert, '-days', '1', '-subj', '/CN=localhost',
    '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'], { stdio: 'ignore' });
  return ['--tls-cert', cert, '--tls-key', key];
}

scenario('over TLS the page loads, and two tabs chat', async (world) => {
  const args = certificate(world);
  const alpha = await world.replica({ name: 'alpha', args });
  const beta = await world.replica({ name: 'beta', args, joins: [alpha.mesh] });
  const context = await browser(world, { ignoreHTTPSErrors: true });
  const one = await openTab(context, alpha.page, 'lobby', 'Anna');
  const two = await openTab(context, beta.page, 'lobby', 'Ben');
  await say(one, 'x'.repeat(16000));
  await say(one, 'over TLS');
  await two.getByTestId('message-text').getByText('over TLS', { exact: true }).waitFor();
  assert.deepEqual([...one.errors, ...two.errors], []);
  await screenshot(two, 'over-tls');
});

scenario('over TLS nobody gets in by another protocol than the one that the door asks', async (world) => {
  const alpha = await world.replica({ name: 'alpha', args: [...certificate(world), '--clients', '1'] });
  const port = Number(new URL(alpha.page).port);
  const agreed = (protocols) => new Promise((resolve, reject) => {
    const socket = tls.connect({ port, host: '127.0.0.1', rejectUnauthorized: false, ALPNProtocols: protocols },
      () => { resolve(socket.alpnProtocol); socket.destroy(); });
    socket.on('error', reject);
  });
  assert.equal(await agreed(['h2', 'http/1.1']), 'http/1.1');
  assert.notEqual(await agreed(['h2']).catch(() => false), 'h2');
  // A client that speaks HTTP/2 all the same: no request of it is served.
  const session = http2.connect(alpha.page, { rejectUnauthorized: false,
    createConnection: () => tls.connect({ port, host: '127.0.0.1', rejectUnauthorized: false }) });
  session.on('error', () => {});
  let answered = false;
  const stream = session.request({ ':path': '/healthz' });
  stream.on('error', () => {});
  stream.on('response', () => { answered = true; });
  stream.end();
  await until('it is turned away', () => session.destroyed);
  assert.equal(answered, false);
});

scenario('a replica that hangs is noticed, and a text that was sent there is not lost from view', async (world) => {
  const alpha = await world.replica({ name: 'alpha' });
  const tab = await openTab(await browser(world), alpha.page, 'lobby', 'Anna');
  await say(tab, 'before');
  await tab.getByTestId('message-text').getByText('before', { exact: true }).waitFor();
  alpha.process.kill('SIGSTOP');
  world.closing(() => alpha.process.kill('SIGCONT'));
  await say(tab, 'said to nobody');
  await tab.getByTestId('status').getByText('alpha does not answer').waitFor();
  assert.equal(await tab.getByTestId('send').isDisabled(), true);
  await screenshot(tab, 'does-not-answer');
  await tab.getByTestId('notice').getByText('Disconnected: alpha does not answer').waitFor();
  assert.equal(await tab.getByTestId('text').inputValue(), 'said to nobody');
  assert.deepEqual(await texts(tab), ['before']);
  alpha.process.kill('SIGCONT');
  await connectedTo(tab);
  await tab.getByTestId('text').fill('and now?');
  await tab.getByTestId('text').press('Enter');
  await tab.getByTestId('message-text').getByText('and now?', { exact: true }).waitFor();
  assert.deepEqual(tab.errors, []);
});

scenario('a replica that only has nothing to say is not taken for one that hangs', async (world) => {
  const alpha = await world.replica({ name: 'alpha' });
  const tab = await openTab(await browser(world), alpha.page, 'lobby', 'Anna');
  const asked = await tab.evaluate(() => new Promise((resolve) => {
    const alive = handlers.alive;
    let answers = 0;
    handlers.alive = (frame) => { alive(frame); if (++answers === 2) resolve(answers); };
  }));
  assert.equal(asked, 2);
  assert.equal(await connectedTo(tab), 'alpha');
  assert.equal(await tab.getByTestId('notice').count(), 0);
});

for (const [name, start] of Object.entries({ nginx, haproxy }))
  scenario(`behind ${name} the page asks for the token, and gets in with it`, async (world) => {
    const path = mkdtempSync(join(tmpdir(), 'wsfan-token-'));
    world.closing(() => rmSync(path, { recursive: true, force: true }));
    writeFileSync(join(path, 'token'), 'open sesame\n');
    const options = { args: ['--token', join(path, 'token')], headers: { authorization: 'Bearer open sesame' } };
    const { host } = await start(world, await world.cluster('alpha', 'beta', 'gamma', options));
    const tab = await (await browser(world)).newPage();
    await tab.goto(`http://${host}/?chat=lobby&user=Anna`);
    await tab.getByTestId('token-input').fill('open says me');
    await tab.getByTestId('apply').click();
    await tab.getByText('The server does not take this token.').waitFor();
    await tab.getByTestId('token-input').fill('open sesame');
    await tab.getByTestId('apply').click();
    await connectedTo(tab);
  });
