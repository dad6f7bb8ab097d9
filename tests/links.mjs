// Links lead somewhere:
//   node tests/links.mjs SOURCE       of all documents of the tree, as a reader of Markdown follows them
//   node tests/links.mjs --html DIR   of all pages below DIR, which name nothing outside
// Paths exist, with the heading or the id that is named. Addresses of other sites are not looked at.
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';

const html = process.argv[2] === '--html';
const root = normalize(process.argv[html ? 3 : 2]);
const ending = html ? '.html' : '.md';

const files = (folder) => readdirSync(folder, { withFileTypes: true })
  .filter(({ name }) => !['build', 'node_modules', '.git'].includes(name))
  .flatMap((entry) => entry.isDirectory() ? files(join(folder, entry.name)) : join(folder, entry.name));

// As GitHub makes them, and docs/page.awk.
const slug = (heading) => heading.replace(/\[([^\]]*)\]\([^)]*\)/g, '$1').toLowerCase()
  .replace(/[^a-z0-9 _-]/g, '').replaceAll(' ', '-');

function read(file) {
  const text = readFileSync(file, 'utf8');
  if (html) {
    return { links: [...text.matchAll(/\s(?:href|src)="([^"]*)"/g)].map(([, link]) => link.replaceAll('&amp;', '&')),
      names: [...text.matchAll(/\s(?:id|name)="([^"]*)"/g)].map(([, name]) => name) };
  }
  const prose = text.replace(/^```[^]*?^```$/gm, '').replace(/`[^`\n]*`/g, (code) => code.replace(/[[\]()]/g, ' '));
  return { links: [...prose.matchAll(/\]\(([^)\s]+)\)/g)].map(([, link]) => link),
    names: [...prose.matchAll(/^#+ (.*)$/gm)].map(([, heading]) => slug(heading)) };
}

const cache = new Map();
const parsed = (file) => cache.get(file) ?? cache.set(file, read(file)).get(file);

function fault(file, link) {
  const [path, name] = link.split('#');
  const to = path === '' ? file : join(dirname(file), decodeURIComponent(path));
  if (relative(root, to).startsWith('..')) return 'leads out';
  if (!existsSync(to)) return 'leads nowhere';
  if (name === undefined || statSync(to).isDirectory() || !to.endsWith(ending)) return undefined;
  return parsed(to).names.includes(decodeURIComponent(name)) ? undefined : 'names what is not there';
}

let count = 0;
for (const file of files(root).filter((name) => name.endsWith(ending))) {
  for (const link of parsed(file).links.filter((text) => !/^[a-z]+:/.test(text))) {
    count++;
    const what = fault(file, link);
    if (what !== undefined) {
      console.log(`${relative(root, file)}: ${link} ${what}`);
      process.exitCode = 1;
    }
  }
}
console.log(`${count} links`);
if (count === 0) process.exitCode = 1;
