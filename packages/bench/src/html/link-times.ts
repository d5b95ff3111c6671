import { methodTitles, type Methods } from '../bytes/method-bytes.js';

import { escaped, readableSeconds } from './svg.js';

const LINKS_MBIT = [1, 5, 25, 100] as const;

/** How long each method's bytes take on links of some rates, and nothing but that. */
export function linkTimes(methods: Methods): string {
  const head = LINKS_MBIT.map((rate) => `<th>${String(rate)} Mbit/s</th>`).join('');
  const keys = (Object.keys(methodTitles) as (keyof Methods)[]).filter(
    (key) => methods[key] !== null,
  );
  const rows = keys.map((key) => {
    const bits = (methods[key]?.total ?? 0) * 8;
    const cells = LINKS_MBIT.map((rate) => `<td>${readableSeconds(bits / (rate * 1e6))}</td>`);
    return `<tr><th scope="row">${escaped(methodTitles[key])}</th>${cells.join('')}</tr>`;
  });
  return `<table><thead><tr><th></th>${head}</tr></thead><tbody>\n${rows.join('\n')}\n</tbody></table>`;
}
