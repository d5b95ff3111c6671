import { samplePicture } from './sample-picture.js';

/** Each page's name, and what it is about. */
const PLACES = [
  ['quay', 'The quay'],
  ['lighthouse', 'The lighthouse'],
  ['market', 'The fish market'],
  ['boatyard', 'The boatyard'],
  ['dunes', 'The dunes'],
] as const;

const SUBJECTS = [
  'the morning ferry',
  'an old crane',
  'the harbour master',
  'a row of nets',
  'the north wind',
  'a painted hull',
  'the tide table',
  'the last train',
  'a heap of rope',
  'the fog horn',
] as const;

const VERBS = ['waits for', 'passes', 'remembers', 'is older than', 'hides', 'answers'] as const;

const ENDINGS = [
  'before anybody is awake',
  'as it has done since the wall was built',
  'and nobody writes it down',
  'when the water is low',
  'for as long as the light holds',
] as const;

/**
 * A few linked pages with a picture each, to be read in a browser in scripted sessions: an index, and pages long
 * enough to be scrolled.
 *
 * @returns file name → content; the same every time
 */
export function samplePages(): ReadonlyMap<string, string | Uint8Array> {
  const files = new Map<string, string | Uint8Array>();
  files.set('style.css', STYLE);
  files.set('index.html', page('A small harbour', `<p>${CONTENTS}</p>\n${list()}`, 'harbour.png'));
  files.set('harbour.png', samplePicture(480, 200, 1));
  for (const [index, [name, title]] of PLACES.entries()) {
    const next = PLACES[(index + 1) % PLACES.length] ?? PLACES[0];
    files.set(`${name}.png`, samplePicture(480, 200, index + 2));
    files.set(
      `${name}.html`,
      page(title, `${paragraphs(index)}\n${way(next[0], next[1])}`, `${name}.png`),
    );
  }
  return files;
}

const CONTENTS =
  'Five places, an hour on foot. Every page has a picture, some words, and the way to the next one.';

const STYLE = `body { margin: 1em 2em; font-family: sans-serif; background: #fbfaf5; color: #22303c; }
h1 { font-size: 150%; border-bottom: 2px solid #6a8caf; }
a { color: #1b5e8c; }
table { border-collapse: collapse; }
td, th { border: 1px solid #b8c4cf; padding: 2px 8px; }
`;

function page(title: string, body: string, picture: string): string {
  return `<!DOCTYPE html>
<html>
<head><meta charset="utf-8"><title>${title}</title><link rel="stylesheet" href="style.css"></head>
<body>
<h1>${title}</h1>
<p><img src="${picture}" width="480" height="200" alt="${title}"></p>
${body}
</body>
</html>
`;
}

function list(): string {
  const items = PLACES.map(([name, title]) => `<li><a href="${name}.html">${title}</a></li>`);
  return `<ol>\n${items.join('\n')}\n</ol>`;
}

function way(name: string, title: string): string {
  return `<p>Go on to <a href="${name}.html">${title.toLowerCase()}</a>, or <a href="index.html">back to the harbour</a>.</p>`;
}

/** Every fourth sentence begins a paragraph; no two sentences of a page are alike. */
function paragraphs(index: number): string {
  const sentences = Array.from({ length: 32 }, (_, i) =>
    sentence(index * 7 + i * 3 + ((i * i) % 5)),
  );
  const rows = Array.from(
    { length: 8 },
    (_, hour) =>
      `<tr><td>${hour * 3}:00</td><td>${((index * 5 + hour * 11) % 37) / 10} m</td></tr>`,
  );
  const text = Array.from(
    { length: sentences.length / 4 },
    (_, i) => `<p>${sentences.slice(i * 4, i * 4 + 4).join(' ')}</p>`,
  );
  return `${text.slice(0, 4).join('\n')}
<table>
<tr><th>hour</th><th>water</th></tr>
${rows.join('\n')}
</table>
${text.slice(4).join('\n')}`;
}

function sentence(n: number): string {
  const pick = (of: readonly string[], step: number): string =>
    of[Math.floor(n * step + n / 10) % of.length] ?? '';
  const subject = pick(SUBJECTS, 1);
  const object = pick(SUBJECTS, 3) === subject ? 'the sea' : pick(SUBJECTS, 3);
  const text = `${subject} ${pick(VERBS, 5)} ${object} ${pick(ENDINGS, 7)}.`;
  return text.charAt(0).toUpperCase() + text.slice(1);
}
