/* ------------------------------------------------------------------------------- picture */
/* The cluster as this tab sees it: the replicas and their links, each tab of the chat at its replica, messages on their
 * way. It is drawn from what the page is told anyway, and only where there is more than one replica; it knows names of
 * replicas, and no address. What it shows it says too: as the name of the picture, and below it what has changed. */

const NODE_HEIGHT = 34, TAB_RADIUS = 10, REPLICAS_SHOWN = 8, REPLICAS_SHOWN_LOW = 5, LOW = 200, NEWS_SHOWN = 3;
const HOP_MS = 380, WAYS_MAX = 60;
const isStill = matchMedia('(prefers-reduced-motion: reduce)');
const nodeMarks = new Map(); /* name of a replica -> { mark, x, y, out, state } */
const linkMarks = new Map(); /* two names, a tab between -> line */
const tabMarks = new Map();  /* "0 Anna" -> { mark, user, node, x, y } */
let ways = 0;                /* messages that are drawn on their way */
let nodeWidth = 0, tabsShown = 0;

function draw(parent, tag, className) {
  const mark = document.createElementNS('http://www.w3.org/2000/svg', tag);
  mark.setAttribute('class', className);
  parent.append(mark);
  return mark;
}

function put(mark, attributes) {
  for (const [name, value] of Object.entries(attributes)) mark.setAttribute(name, value);
}

const moveTo = (x, y) => `translate(${x}px, ${y}px)`;
/* Names of replicas differ at their ends. */
const shorten = (name, length) => [...name].length <= length ? name : '…' + [...name].slice(1 - length).join('');
const initials = (user) => user.split(/\s+/).filter(Boolean).map((word) => [...word][0]).slice(0, 2).join('')
  .toUpperCase();
const listed = (names) => names.length < 2 ? names.join('')
  : names.slice(0, -1).join(', ') + ' and ' + names.at(-1);

/* Below the picture stands what changed last, and screen readers say what is new of it. */
function tell(about, text) {
  const list = $('picture-news'), known = [...list.children].find((item) => item.about === about);
  if (known?.textContent === text + ' ') return;
  for (const item of [...list.children]) if (item === known || item.about === 'all') item.remove();
  const item = make('span', '', text + ' ');
  item.about = about;
  list.append(item);
  while (list.childElementCount > NEWS_SHOWN) list.firstElementChild.remove();
}

/* --- replicas: on an ellipse, the first one on top; two of them side by side */

function nodeMark(name) {
  if (nodeMarks.has(name)) return nodeMarks.get(name);
  const mark = draw($('picture-nodes'), 'g', 'node');
  draw(mark, 'rect', 'box');
  draw(mark, 'rect', 'ring');
  draw(mark, 'path', 'cross');
  put(draw(mark, 'text', 'name'), { y: -6 });
  put(draw(mark, 'text', 'state'), { y: 8 });
  Object.assign(mark.dataset, { testid: 'picture-node', node: name });
  mark.style.setProperty('--hue', hueOf(name));
  nodeMarks.set(name, { mark, state: '' });
  return nodeMarks.get(name);
}

const boxOf = (margin) => ({ x: -nodeWidth / 2 - margin, y: -NODE_HEIGHT / 2 - margin,
  width: nodeWidth + 2 * margin, height: NODE_HEIGHT + 2 * margin, rx: 9 + margin });

function placeNodes(names, width, height) {
  nodeWidth = Math.min(names.length > 5 ? 56 : 84, width / 2 - 17);
  tabsShown = names.length > 5 ? 2 : names.length > 3 ? 3 : width < 220 ? 4 : 5;
  const first = names.length === 2 ? Math.PI : -Math.PI / 2;
  const units = names.map((_, i) => first + 2 * Math.PI * i / names.length)
    .map((angle) => ({ x: Math.cos(angle), y: Math.sin(angle) }));
  const [low, high] = [Math.min(...units.map(({ y }) => y)), Math.max(...units.map(({ y }) => y))];
  const edge = NODE_HEIGHT / 2 + 2 * TAB_RADIUS + 10;
  names.forEach((name, i) => {
    const { x, y } = units[i], out = y < -0.3 ? -1 : 1;
    Object.assign(nodeMark(name), { out, x: width / 2 + x * (width / 2 - nodeWidth / 2 - 5),
      y: high - low < 0.1 ? height / 2 : edge + (y - low) / (high - low) * (height - 2 * edge) });
  });
}

/* A place at a replica; the row of tabs is on its outer side. */
function placeOfTab(node, i, count) {
  const { x, y, out } = nodeMarks.get(node);
  return { x: x + (i - (count - 1) / 2) * (2 * TAB_RADIUS + 4), y: y + out * (NODE_HEIGHT / 2 + TAB_RADIUS + 8) };
}

function showNodes(names) {
  for (const [name, { mark, more }] of nodeMarks)
    if (!names.includes(name)) {
      mark.remove();
      more?.remove();
      nodeMarks.delete(name);
    }
  for (const name of names) {
    const known = nodeMark(name), state = socket ? replicas.get(name).state : 'unknown';
    known.mark.dataset.state = state;
    known.mark.classList.toggle('mine', name === me.node);
    put(known.mark.querySelector('.box'), boxOf(0));
    put(known.mark.querySelector('.ring'), boxOf(3.5));
    put(known.mark.querySelector('.cross'), { d: `M${nodeWidth / 2 - 7} ${-NODE_HEIGHT / 2 - 7}l14 14m0 -14l-14 14` });
    known.mark.querySelector('.name').textContent = shorten(name, Math.floor(nodeWidth / 7.5));
    known.mark.style.transform = moveTo(known.x, known.y);
    const isNews = known.state !== state && !(known.state === '' && state === 'down') &&
      !(['', 'unknown'].includes(known.state) && state === 'up');
    if (socket && isNews) tell('replica ' + name, name + ' is ' + state + '.');
    known.state = state;
  }
}

const pairsOf = (names) => names.flatMap((a, i) => names.slice(i + 1).map((b) => [a, b]));

/* A link is as well as the worse of its ends. */
function showLinks(names) {
  const pairs = pairsOf(names);
  for (const [key, mark] of linkMarks)
    if (!pairs.some((pair) => pair.join('\t') === key)) {
      mark.remove();
      linkMarks.delete(key);
    }
  for (const pair of pairs) {
    const key = pair.join('\t'), [a, b] = pair.map((name) => nodeMarks.get(name));
    if (!linkMarks.has(key)) linkMarks.set(key, draw($('picture-links'), 'line', 'link'));
    const mark = linkMarks.get(key), states = [a.state, b.state];
    put(mark, { x1: a.x, y1: a.y, x2: b.x, y2: b.y });
    mark.dataset.state = ['unknown', 'down', 'silent'].find((state) => states.includes(state)) ?? 'up';
  }
}

/* --- tabs: a user's keep their marks, so that one that comes up elsewhere is seen to move */

const isUp = (node) => nodeMarks.get(node)?.state === 'up';

/* Which marks of a member are where from now on. Its tab on a replica that dies may be told of before and after it has come
 * elsewhere: so whoever is new on one that is up may be such a tab. */
function tabsOf({ user, sessions, places }) {
  const free = places.flatMap(({ node, sessions: here }) => Array(Math.min(here, tabsShown)).fill(node))
    .filter((node) => nodeMarks.has(node)).sort((a, b) => isUp(b) - isUp(a));
  const loose = [...tabMarks.values()].filter((tab) => tab.user === user), seats = [];
  const seat = (tab, node, away = false) => {
    seats.push({ tab, user, node, away });
    if (tab) loose.splice(loose.indexOf(tab), 1);
  };
  for (const tab of [...loose]) {
    const i = isUp(tab.node) ? free.indexOf(tab.node) : -1;
    if (i >= 0) seat(tab, free.splice(i, 1)[0]);
  }
  for (const node of free) {
    const here = loose.find((tab) => tab.node === node);
    if (isUp(node)) seat(loose[0] ?? null, node);
    else if (here) seat(here, node);
  }
  if (sessions === 0)
    for (const tab of [...loose]) if (nodeMarks.has(tab.node)) seat(tab, tab.node, true);
  return seats;
}

function tabMark(user) {
  let i = 0;
  while (tabMarks.has(i + ' ' + user)) i++;
  const mark = draw($('picture-tabs'), 'g', 'tab');
  put(draw(mark, 'circle', ''), { r: TAB_RADIUS });
  draw(mark, 'text', '').textContent = initials(user);
  draw(mark, 'title', '');
  mark.dataset.testid = 'picture-tab';
  const tab = { key: i + ' ' + user, mark, user, node: '' };
  tabMarks.set(tab.key, tab);
  return tab;
}

function stateText(node, tabs) {
  const { state } = nodeMarks.get(node);
  if (state !== 'up') return state;
  if (nodeWidth < 80) return totals?.large ? state : some(tabs, 'tab');
  return [node === me.node && 'yours', !totals?.large && some(tabs, 'tab')].filter(Boolean).join(' · ') || state;
}

function showTabs(names) {
  const wanted = [...members.values()].sort((a, b) => a.user.localeCompare(b.user)).flatMap(tabsOf);
  const seats = new Map(names.map((name) => [name, []]));
  for (const seat of wanted) seats.get(seat.node).push(seat);
  const kept = new Set();
  let mine = false;
  for (const [node, row] of seats) {
    /* This tab is always among those that are shown. */
    row.sort((a, b) => (b.user === me.user) - (a.user === me.user));
    const shown = row.slice(0, tabsShown);
    shown.forEach(({ tab, user, away }, i) => {
      const isNew = !tab, known = tab ?? tabMark(user);
      const isMine = !mine && user === me.user && node === me.node;
      mine ||= isMine;
      const isMoved = !isNew && known.node !== node;
      if (isMoved) tell(isMine ? 'me' : known.key, (isMine ? 'This tab' : user) + ' is on ' + node + ' now.');
      Object.assign(known, { node }, placeOfTab(node, i, shown.length + (tabsAt(node) > shown.length)));
      Object.assign(known.mark.dataset, { user, node });
      known.mark.setAttribute('class', 'tab' + (isMine ? ' me' : '') + (away ? ' away' : ''));
      known.mark.style.setProperty('--hue', hueOf(node));
      known.mark.style.transform = moveTo(known.x, known.y);
      known.mark.querySelector('title').textContent = user + (isMine ? ', this tab' : '') + (away ? ', reconnecting' : '');
      if (isNew && !isStill.matches) known.mark.animate([{ opacity: 0 }, { opacity: 1 }], 500);
      kept.add(known.key);
    });
    const tabs = tabsAt(node);
    showMore(node, tabs - shown.length, shown.length);
    nodeMarks.get(node).mark.querySelector('.state').textContent = stateText(node, tabs);
  }
  for (const [key, { mark }] of tabMarks)
    if (!kept.has(key)) {
      mark.remove();
      tabMarks.delete(key);
    }
}

/* How many more tabs are there than are drawn. */
function showMore(node, more, shown) {
  const known = nodeMarks.get(node);
  known.more ??= draw($('picture-tabs'), 'text', 'more');
  const { x, y } = placeOfTab(node, shown, shown + 1);
  put(known.more, { x, y });
  known.more.textContent = more > 0 ? '+' + more : '';
}

/* --- messages: from the tab to its replica, from there to the others, and from each to its tabs */

function goOneWay(from, to, delay, hue) {
  if (ways >= WAYS_MAX) return;
  ways++;
  const mark = draw($('picture-ways'), 'circle', 'way');
  put(mark, { r: 5.5, 'data-testid': 'picture-way' });
  mark.style.setProperty('--hue', hue);
  mark.style.opacity = 0; /* until it sets out */
  const steps = [from, to].map(({ x, y }) => ({ transform: moveTo(x, y), opacity: 1 }));
  mark.animate(steps, { duration: HOP_MS, delay, easing: 'ease-in-out' }).onfinish = () => {
    mark.remove();
    ways--;
  };
}

function showWay({ user, node }) {
  const from = nodeMarks.get(node), all = [...nodeMarks.values()];
  if (!from || $('cluster').hidden || document.hidden) return;
  const others = all.filter((other) => other !== from && other.state === 'up'), hue = hueOf(node);
  if (isStill.matches) {
    for (const [key, mark] of linkMarks)
      if (key.split('\t').includes(node) && mark.dataset.state === 'up') {
        mark.style.setProperty('--hue', hue);
        mark.classList.add('busy');
        setTimeout(() => mark.classList.remove('busy'), 3 * HOP_MS);
      }
    return;
  }
  const tabs = [...tabMarks.values()];
  const sender = tabs.find((tab) => tab.user === user && tab.node === node);
  if (sender) goOneWay(sender, from, 0, hue);
  for (const other of others) goOneWay(from, other, HOP_MS, hue);
  for (const tab of tabs)
    if (tab !== sender && nodeMarks.get(tab.node)?.state === 'up')
      goOneWay(nodeMarks.get(tab.node), tab, tab.node === node ? HOP_MS : 2 * HOP_MS, hue);
}

/* --- all of it */

function describe(names) {
  const parts = names.map((name) => {
    const users = [...tabMarks.values()].filter((tab) => tab.node === name)
      .map(({ user, mark }) => user + (mark.classList.contains('me') ? ' (this tab)' : ''));
    const { state } = nodeMarks.get(name);
    return name + (name === me.node ? ', yours,' : '') + (socket ? ' is ' + state : '') +
      (users.length > 0 && state === 'up' ? ' with ' + listed(users) : '');
  });
  return replicas.size + ' replicas; those that are up are linked with each other. ' + parts.join('; ') + '.';
}

function showPicture() {
  $('cluster').hidden = replicas.size < 2;
  const { width, height } = $('picture').getBoundingClientRect();
  if (replicas.size < 2 || width === 0) return; /* on a low screen there is no room for it */
  const all = [...replicas.keys()].sort((a, b) => (b === me.node) - (a === me.node) || a.localeCompare(b));
  const names = all.slice(0, height < LOW ? REPLICAS_SHOWN_LOW : REPLICAS_SHOWN).sort();
  put($('picture'), { viewBox: `0 0 ${width} ${height}` });
  placeNodes(names, width, height);
  showNodes(names);
  showLinks(names);
  showTabs(names);
  if (!socket) tell('me', 'This tab has lost its replica.');
  $('picture').setAttribute('aria-label', describe(names));
  if ($('picture-news').childElementCount === 0) tell('all', some(replicas.size, 'replica') + ', one chat');
}

new ResizeObserver(() => showPicture()).observe($('picture'));
