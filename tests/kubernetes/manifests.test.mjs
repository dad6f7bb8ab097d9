// The manifests against the schemas of the Kubernetes API, and against each other and the program.

import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { PodDisruptionBudget } from 'kubernetes-models/policy/v1';
import { Ingress, NetworkPolicy } from 'kubernetes-models/networking.k8s.io/v1';
import { Service } from 'kubernetes-models/v1';
import { StatefulSet } from 'kubernetes-models/apps/v1';
import { parseAllDocuments } from 'yaml';

const root = fileURLToPath(new URL('../..', import.meta.url));
const models = { Service, StatefulSet, PodDisruptionBudget, NetworkPolicy, Ingress };

function load(file) {
  return parseAllDocuments(readFileSync(`${root}${file}`, 'utf8')).map((document) => {
    assert.deepEqual(document.errors, []);
    return document.toJS();
  });
}

const objects = load('examples/kubernetes/chat.yaml');
const find = (kind, name = 'chat') =>
  objects.find((object) => object.kind === kind && object.metadata.name === name);
const container = () => find('StatefulSet').spec.template.spec.containers[0];
const argument = (name) =>
  container().args.find((text) => text.startsWith(`--${name}=`)).slice(name.length + 3);

// The schemas let unknown fields pass, as old API servers did. A field that the validator never looks
// at is unknown.
function check(object) {
  const looked = new Set();
  const watch = (value, path) => typeof value !== 'object' || value === null ? value
    : new Proxy(value, { get(target, key) {
      if (typeof key !== 'string') return target[key];
      looked.add(`${path}/${key}`);
      return watch(target[key], `${path}/${key}`);
    } });
  assert.deepEqual(Object.keys(object).filter((key) =>
    !['apiVersion', 'kind', 'metadata', 'spec'].includes(key)), []);
  const model = new models[object.kind](object);
  model.metadata = watch(object.metadata, '/metadata');
  model.spec = watch(object.spec, '/spec');
  model.validate();
  const walk = (value, path) => {
    if (typeof value !== 'object' || value === null) return;
    for (const [key, inner] of Object.entries(value)) {
      if (path !== '') assert.ok(looked.has(`${path}/${key}`), `${path}/${key} is not known`);
      walk(inner, `${path}/${key}`);
    }
  };
  walk(object, '');
}

test('every object is valid by the schema of its kind', () => {
  const all = [...objects, ...load('examples/balancers/ingress.yaml')];
  assert.equal(all.length, 6);
  for (const object of all) check(object);
});

test('the validator finds mistakes', () => {
  const wrong = structuredClone(find('StatefulSet'));
  wrong.spec.replicas = 'three';
  assert.throws(() => check(wrong), /replicas/);
  const unknown = structuredClone(find('Service'));
  unknown.spec.publishNotReadyAdresses = true;
  assert.throws(() => check(unknown), /spec\/publishNotReadyAdresses is not known/);
  const deep = structuredClone(find('StatefulSet'));
  deep.spec.template.spec.containers[0].readinessProbe.httpGet.pathh = '/';
  assert.throws(() => check(deep), /httpGet\/pathh is not known/);
});

test('selectors, names and ports belong together', () => {
  const set = find('StatefulSet').spec;
  const labels = set.template.metadata.labels;
  for (const selector of [set.selector.matchLabels, find('Service').spec.selector,
    find('Service', 'chat-mesh').spec.selector, find('PodDisruptionBudget').spec.selector.matchLabels,
    find('NetworkPolicy').spec.podSelector.matchLabels]) assert.deepEqual(selector, labels);
  const ports = Object.fromEntries(container().ports.map((port) => [port.name, port.containerPort]));
  assert.equal(argument('listen'), `0.0.0.0:${ports.http}`);
  assert.equal(argument('mesh'), `tcp://*:${ports.mesh}`);
  const mesh = find('Service', 'chat-mesh');
  assert.equal(argument('join'), `dns://${mesh.metadata.name}:${ports.mesh}`);
  assert.equal(set.serviceName, mesh.metadata.name);
  assert.equal(find('Service').spec.ports[0].targetPort, 'http');
  for (const port of [mesh.spec.ports[0], ...find('Service').spec.ports])
    assert.ok(port.targetPort in ports);
  const [ingress] = load('examples/balancers/ingress.yaml');
  for (const { backend: { service } } of ingress.spec.rules[0].http.paths) {
    assert.equal(service.name, find('Service').metadata.name);
    assert.equal(service.port.name, find('Service').spec.ports[0].name);
  }
  assert.equal(argument('host'), ingress.spec.rules[0].host);
  for (const flag of container().args.map((text) => text.split('=')[0]))
    assert.ok(readFileSync(`${root}examples/echo-chat/options.c`, 'utf8').includes(`"  ${flag} `));
});

test('replicas find each other before they are ready, and nobody else gets to the mesh', () => {
  const mesh = find('Service', 'chat-mesh').spec;
  assert.equal(mesh.clusterIP, 'None');
  assert.equal(mesh.publishNotReadyAddresses, true);
  assert.equal(find('Service').spec.publishNotReadyAddresses, undefined);
  assert.equal(find('StatefulSet').spec.podManagementPolicy, 'Parallel');
  const policy = find('NetworkPolicy').spec;
  assert.deepEqual(policy.policyTypes, ['Ingress']);
  const rules = policy.ingress.filter((rule) => rule.ports.some(({ port }) => port === 7000));
  assert.equal(rules.length, 1);
  assert.deepEqual(rules[0].from,
    [{ podSelector: { matchLabels: find('StatefulSet').spec.template.metadata.labels } }]);
  assert.deepEqual(rules[0].ports.map(({ port }) => port), [7000]);
});

test('probes, drain and grace fit together, and memory covers the bounds of the library', () => {
  const pod = find('StatefulSet').spec.template.spec;
  assert.equal(container().readinessProbe.httpGet.path, '/readyz');
  assert.equal(container().livenessProbe.httpGet, undefined); // draining must not look like dead
  const sleep = Number(container().lifecycle.preStop.exec.command[1]);
  assert.ok(pod.terminationGracePeriodSeconds >= sleep + Number(argument('drain')) + 3 + 2);
  assert.ok(sleep > container().readinessProbe.periodSeconds);
  assert.equal(find('PodDisruptionBudget').spec.maxUnavailable, 1);
  const MI = 1024 * 1024;
  const options = readFileSync(`${root}lib/api/options.c`, 'utf8');
  const bytes = (name) => {
    const [, count] = new RegExp(`\\.${name} = (\\d+) \\* MI`).exec(options);
    return Number(count) * MI;
  };
  const peers = find('StatefulSet').spec.replicas;
  const bound = bytes('publish_queue_bytes_max') + bytes('inbox_bytes_max') +
    peers * (2 * bytes('link_window_bytes') + bytes('link_queue_bytes_max'));
  assert.equal(bound / MI, 200); // as the comment says
  const limit = /^(\d+)Mi$/.exec(container().resources.limits.memory);
  assert.ok(Number(limit[1]) * MI > 2 * bound);
  assert.equal(container().securityContext.readOnlyRootFilesystem, true);
});

test('compose starts replicas that find each other, and ends them after their drain', () => {
  const [{ services, networks }] = load('examples/compose/compose.yaml');
  const { chat, balancer } = services;
  const options = readFileSync(`${root}examples/echo-chat/options.c`, 'utf8');
  for (const flag of chat.command.map((text) => text.split('=')[0])) assert.ok(options.includes(`"  ${flag} `), flag);
  const value = (name) => chat.command.find((text) => text.startsWith(`--${name}=`)).slice(name.length + 3);
  assert.equal(value('join'), `dns://chat:${value('mesh').split(':').at(-1)}`);
  assert.ok(parseInt(chat.stop_grace_period, 10) >= Number(value('drain')) + 3);
  assert.deepEqual(chat.networks, ['mesh']); // plain text: nobody else is in it
  assert.equal(networks.mesh.internal, true);
  assert.ok(balancer.networks.includes('mesh'));
  assert.ok(existsSync(`${root}${chat.build.dockerfile}`));
  const [file] = balancer.volumes.map((volume) => volume.split(':')[0]);
  const haproxy = readFileSync(`${root}examples/compose/${file}`, 'utf8');
  const [, places, port] = /server-template chat (\d+) chat:(\d+) /.exec(haproxy);
  assert.equal(value('listen'), `0.0.0.0:${port}`);
  assert.ok(Number(places) >= chat.deploy.replicas);
  assert.ok(balancer.ports[0].endsWith(`:${/bind :(\d+)/.exec(haproxy)[1]}`));
});

test('the image is built from what the build needs', () => {
  const text = readFileSync(`${root}examples/kubernetes/Dockerfile`, 'utf8');
  const debian = readFileSync(`${root}examples/debian.sh`, 'utf8');
  for (const name of /echo_chat_packages="([^"]*)"/.exec(debian)[1].match(/\blib\S+-dev\b/g))
    assert.ok(text.includes(name), name);
});
