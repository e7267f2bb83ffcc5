// SPDX-License-Identifier: Apache-2.0
//
// chart.mjs: rows of peers.mjs as a bar chart: an SVG for light and dark pages, a bar for each ratio, a line
// over it from the lowest turn to the highest, and a mark at 1, where both are the same.

const ROW = 22;
const LEFT = 310;
const RIGHT = 60;
const TOP = 70;
const WIDTH = 820;

const escape = (text) => String(text).replace(/[<>&"]/g, (c) => `&#${c.charCodeAt(0)};`);

/** title, subtitle: text; rows: [{ label, ratio, low, high }]. */
export function chart(title, subtitle, rows) {
    const most = Math.max(2, ...rows.map((row) => row.high)) * 1.05;
    const x = (ratio) => (LEFT + (ratio / most) * (WIDTH - LEFT - RIGHT)).toFixed(1);
    const height = TOP + ROW * rows.length + 20;
    const bars = rows.map(({ label, ratio, low, high }, i) => {
        const y = TOP + ROW * i;
        const middle = y + ROW / 2;
        return `<text class="ink" x="${LEFT - 10}" y="${middle + 4}" text-anchor="end">${escape(label)}</text>
<rect class="${ratio >= 1 ? 'bar' : 'less'}" x="${LEFT}" y="${y + 4}" width="${(x(ratio) - LEFT).toFixed(1)}" height="${ROW - 8}" rx="2"/>
<path class="spread" d="M${x(low)} ${middle} H${x(high)}"/>
<text class="ink" x="${(Number(x(high)) + 6).toFixed(1)}" y="${middle + 4}">${ratio.toFixed(2)}×</text>`;
    });
    return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="system-ui, sans-serif" font-size="12">
<style>
.page { fill: #fff } .ink { fill: #222 } .soft { fill: #667 } .bar { fill: #3b82c4 } .less { fill: #c4703b }
.spread { stroke: #123; stroke-width: 1.5 } .one { stroke: #667; stroke-dasharray: 4 3 }
@media (prefers-color-scheme: dark) {
.page { fill: #14161a } .ink { fill: #e6e6e6 } .soft { fill: #99a } .bar { fill: #4f9be0 } .less { fill: #e08a4f }
.spread { stroke: #e6e6e6 } .one { stroke: #99a }
}
</style>
<rect class="page" width="${WIDTH}" height="${height}"/>
<text class="ink" x="16" y="24" font-size="15">${escape(title)}</text>
<text class="soft" x="16" y="44">${escape(subtitle)}</text>
<path class="one" d="M${x(1)} ${TOP - 6} V${height - 14}"/>
<text class="soft" x="${x(1)}" y="${TOP - 10}" text-anchor="middle">1×</text>
${bars.join('\n')}
</svg>
`;
}
