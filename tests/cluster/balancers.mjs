// Real nginx and HAProxy before three replicas, with the configurations of examples/balancers.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, root, until } from './replica.mjs';

const env = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` };

async function answering(child, host) {
  await until('it answers', () => child.exit ||
    fetch(`http://${host}/healthz`).then((response) => response.ok, () => false));
  return !child.exit;
}

// A free port may be taken by someone else before the balancer has it: then another.
async function start(run) {
  for (let tries = 1; ; tries++) {
    const host = `127.0.0.1:${await freePort()}`;
    const child = run(host);
    if (await answering(child, host)) return { host, child };
    if (tries === 3) throw new Error(child.story());
  }
}

export function nginx(world, replicas) {
  const directory = mkdtempSync(join(tmpdir(), 'wsfan-nginx-'));
  world.closing(() => rmSync(directory, { recursive: true, force: true, maxRetries: 10 }));
  return start((host) => {
    let conf = readFileSync(`${root}examples/balancers/nginx.conf`, 'utf8')
      .replace('listen 127.0.0.1:8080', `listen ${host}`);
    for (const [i, replica] of replicas.entries())
      conf = conf.replaceAll(`127.0.0.1:808${i + 1}`, replica.host);
    if (process.getuid() === 0) conf = `user root;\n${conf}`;
    writeFileSync(join(directory, 'nginx.conf'), conf);
    const child = world.run('nginx', ['-p', directory, '-c', 'nginx.conf', '-e', 'stderr',
      '-g', 'daemon off;'], { env });
    world.closing(() => child.kill('SIGTERM')); // the hard way would leave its workers
    return child;
  });
}

export function haproxy(world, [alpha, beta, gamma], file = 'examples/balancers/haproxy.cfg') {
  return start((host) => world.run('haproxy', ['-db', '-f', `${root}${file}`], {
    env: { ...env, CHAT_BIND: host, CHAT_ALPHA: alpha.host, CHAT_BETA: beta.host,
      CHAT_GAMMA: gamma.host },
  }));
}
