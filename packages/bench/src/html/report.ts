import type { BytesBenchmarkResult } from '../bytes/bytes-benchmark.js';
import { pageFates } from '../bytes/page-map.js';
import type { SessionBytes } from '../bytes/session-bytes.js';
import type { Verdict } from '../bytes/verdicts.js';
import type { RaceResult } from '../race/results.js';
import { racePlot } from '../race/race-plot.js';

import { classBars, classColours, totalBars } from './bars.js';
import { frontColours, frontsPlot } from './fronts.js';
import { linkTimes } from './link-times.js';
import { fateColours, mapPicture } from './map-picture.js';
import { escaped, readableBytes, readableSeconds } from './svg.js';

/**
 * What `bench bytes` measured as one page that needs nothing else: no script, no font, no picture from elsewhere.
 *
 * @param races the JSON of `bench race`
 */
export function htmlReport(result: BytesBenchmarkResult, races?: string): string {
  const { host, startedAt, sessions } = result;
  const machine = `${host.cpu}, ${String(host.cores)} cores, ${String(host.memoryGiB)} GiB; QEMU ${host.qemu}, rsync ${host.rsync}, zstd ${host.zstd}, Node ${host.node}`;
  const links = sessions.map(({ name }) => `<a href="#${escaped(name)}">${escaped(name)}</a>`);
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>reprise: bytes on the link</title>
<style>${STYLE}</style>
</head>
<body>
<h1>Bytes on the link</h1>
<p>What each way of moving a suspended virtual machine sends and receives, between two hosts that hold the same
earlier snapshot. Everything is counted, both directions. Commit ${escaped(host.commit ?? 'unknown')}, begun ${escaped(startedAt)}; ${escaped(machine)}.</p>
<nav>${links.join(' · ')}</nav>
${sessions.map(sessionSection).join('\n')}
${races === undefined ? '' : raceSection(races)}
<h2>What the methods are</h2>
${NOTES}
</body>
</html>
`;
}

function sessionSection(session: SessionBytes): string {
  const { name, title, changed, methods, race, map, ablation, verdicts, seconds } = session;
  const measured = (what: keyof typeof seconds) =>
    seconds[what] === null ? '' : `${what} ${readableSeconds(seconds[what])}`;
  const parts = [
    `<h2 id="${escaped(name)}">${escaped(name)}: ${escaped(title)}</h2>`,
    changed.ramPages === 0
      ? ''
      : `<p>${String(changed.ramPages)} pages of memory and ${String(changed.diskBlocks)} blocks of disk changed.</p>`,
    verdictList(verdicts),
    '<h3>Bytes by method</h3>',
    totalBars(methods),
    '<h3>By class, of what is of reprise’s size</h3>',
    legend(classColours),
    classBars(methods),
    '<h3>Time the link is busy</h3>',
    linkTimes(methods),
    `<p class="note">Bytes divided by the rate. What a replay, a proof and a resume take comes on top: whole migrations at 5 Mbit/s on this host took ${[measured('ship'), measured('replay')].filter((text) => text !== '').join(', ') || 'an unmeasured time'}.</p>`,
  ];
  if (race.length > 1) {
    parts.push(
      '<h3>The race: shares of the disk’s residue over time</h3>',
      legend({
        'not shipped ahead': frontColours.shipped,
        'seen to be replayed': frontColours.replayed,
      }),
      frontsPlot(race),
    );
  }
  if (map !== null) parts.push(mapSection(map));
  if (ablation !== null) parts.push(ablationSection(ablation));
  return `<section>\n${parts.join('\n')}\n</section>`;
}

function verdictList(verdicts: readonly Verdict[]): string {
  const items = verdicts.map(({ bound, measured, limit, holds }) => {
    const word = holds === null ? 'not measured' : holds ? 'holds' : 'fails';
    const figure = measured === null ? '' : `${measured.toFixed(3)}, `;
    return `<li class="${word.replace(' ', '-')}"><b>${word}</b> ${escaped(bound)}: ${figure}at most ${limit.toFixed(3)}</li>`;
  });
  return `<ul class="verdicts">\n${items.join('\n')}\n</ul>`;
}

function legend(colours: Readonly<Record<string, string>>): string {
  const items = Object.entries(colours).map(
    ([name, colour]) => `<span><i style="background:${colour}"></i>${escaped(name)}</span>`,
  );
  return `<p class="legend">${items.join(' ')}</p>`;
}

function mapSection(map: NonNullable<SessionBytes['map']>): string {
  const { url, width, height } = mapPicture(map);
  const colours = Object.fromEntries(
    pageFates.map((fate) => [`${fate} (${String(map.pages[fate])})`, fateColours[fate]]),
  );
  return `<h3>Where in memory</h3>
${legend(colours)}
<img class="map" src="${url}" width="${String(width * 6)}" height="${String(height * 6)}" alt="map of changed, matched and shipped pages">
<p class="note">From the first page, left to right; ${String(map.pagesPerCell)} pages a cell, which shows the last of these kinds that is in it.</p>`;
}

function ablationSection(ablation: NonNullable<SessionBytes['ablation']>): string {
  const names = new Set([...Object.keys(ablation.ship), ...Object.keys(ablation.replay)]);
  const cell = (of: Readonly<Record<string, number>>, name: string) => {
    const [bytes, all] = [of[name], of['everything'] ?? 0];
    if (bytes === undefined) return '<td>–</td><td></td>';
    const times = all === 0 ? '' : `${(bytes / all).toFixed(2)} x`;
    return `<td>${readableBytes(bytes)}</td><td>${times}</td>`;
  };
  const rows = [...names].map(
    (name) =>
      `<tr><th scope="row">${escaped(name)}</th>${cell(ablation.ship, name)}${cell(ablation.replay, name)}</tr>`,
  );
  return `<h3>One technique left out at a time: residue and device state</h3>
<table><thead><tr><th></th><th colspan="2">no replay</th><th colspan="2">recorded replay</th></tr></thead><tbody>
${rows.join('\n')}
</tbody></table>`;
}

function raceSection(json: string): string {
  return `<section><h2 id="race">Replay against shipping, on thin and wide links</h2>
<p>By its own benchmark: what has not been shipped ahead, and what has been replayed, until the two meet.</p>
<div class="wide">${racePlot(JSON.parse(json) as RaceResult)}</div></section>`;
}

const NOTES = `<ul>
<li><b>Other tools</b> work on the state as it was suspended, before free memory was handed back; reprise on the squeezed one.</li>
<li><b>Cloudlet-style</b>: changed chunks at their positions, deduplicated against base memory, base disk, zeros and each other, the rest as xdelta against the old chunk, everything through LZMA. Chunk by chunk, as the paper’s; “at once” puts all chunks through one xdelta, which finds more. Neither its client’s guest cooperation nor its pipelining is modelled: they cost or save time, not bytes.</li>
<li><b>The design of 2008</b>: replay, SHA-1 of disk chunks at the same position, rsync of the memory image. What its background shipping sends while the replay runs and the replay then makes again is not counted, nor any retransmission: its bytes are a lower bound.</li>
<li><b>Recorded replay</b>: the residue against the very replay that the oracles know; “replay” is a migration whose replay was run anew.</li>
<li><b>Oracle</b>: the better of one zstd -19 over all that must be carried, with everything the source can know as its prefix, and the same page by page against the nearest pages; and positions, log and device state. <b>Full oracle</b>: with the replayed content too, which only the destination holds.</li>
<li><b>Virtual time</b>: the median of its own benchmark’s runs of a session of that name.</li>
</ul>`;

const STYLE = `
body { font: 15px/1.45 system-ui, sans-serif; color: #222; background: #fff; max-width: 900px; margin: 2em auto; padding: 0 1em; }
h1 { font-size: 1.7em; } h2 { margin-top: 2.2em; border-top: 1px solid #ccc; padding-top: .8em; font-size: 1.3em; } h3 { font-size: 1em; margin: 1.6em 0 .4em; }
svg { max-width: 100%; height: auto; font: 12px system-ui, sans-serif; } .wide svg { width: 100%; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; } td, th { padding: .15em .7em; text-align: right; border-bottom: 1px solid #eee; font-weight: normal; } thead th { color: #555; } th[scope=row] { text-align: left; }
.legend { margin: .2em 0 .5em; font-size: .87em; } .legend span { margin-right: 1em; white-space: nowrap; } .legend i { display: inline-block; width: .8em; height: .8em; margin-right: .35em; border: 1px solid #0002; }
.map { image-rendering: pixelated; max-width: 100%; height: auto; border: 1px solid #ccc; } .note { color: #555; font-size: .87em; }
.verdicts { list-style: none; padding: 0; } .verdicts b { display: inline-block; min-width: 7.2em; } .holds b { color: #2f7d4f; } .fails b { color: #c0392b; } .not-measured b { color: #777; }
nav { margin: 1em 0; }
`;
