// A Prometheus that scrapes replicas, with the alerts of examples/monitoring.

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, root } from './replica.mjs';

export function temporary(world, prefix) {
  const directory = mkdtempSync(join(tmpdir(), prefix));
  world.closing(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

// The alerts as they are, but that they fire at once.
// every: the interval of scrapes, which is also their time limit.
export async function prometheus(world, targets, every = '2s') {
  const directory = temporary(world, 'wsfan-prometheus-');
  const port = await freePort();
  const page = `http://127.0.0.1:${port}/`;
  const rules = readFileSync(`${root}examples/monitoring/alerts.yml`, 'utf8').replace(/^( *for:) .*$/gm, '$1 0s');
  writeFileSync(join(directory, 'alerts.yml'), rules);
  writeFileSync(join(directory, 'prometheus.json'), JSON.stringify({
    global: { scrape_interval: every, scrape_timeout: every, evaluation_interval: '500ms' },
    rule_files: ['alerts.yml'],
    scrape_configs: [{ job_name: 'wsfan',
      static_configs: targets.map(({ host, name }) => ({ targets: [host], labels: { replica: name } })) }],
  }));
  const child = world.run('prometheus', [`--config.file=${join(directory, 'prometheus.json')}`,
    `--storage.tsdb.path=${join(directory, 'data')}`, `--web.listen-address=127.0.0.1:${port}`, '--log.level=warn']);
  const ask = async (path) => {
    assert.equal(child.exit, null, child.story());
    const response = await fetch(`${page}api/v1/${path}`).catch(() => null);
    return response?.ok ? (await response.json()).data : null;
  };
  return {
    page,
    query: async (query) => (await ask(`query?${new URLSearchParams({ query })}`))?.result ?? [],
    firing: async (name) => (await ask('alerts'))?.alerts.filter(({ labels, state }) =>
      labels.alertname === name && state === 'firing').map(({ labels }) => labels), // undefined: no answer yet
  };
}
