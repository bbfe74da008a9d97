"""The look of the page: one style sheet for light and dark, wide and narrow."""

STYLE = """
:root { color-scheme: light dark; --page: #f6f7f9; --card: #ffffff; --ink: #1c2128; --faint: #5d6672;
  --line: #dde1e6; --before: #e07b1a; --after: #1f77d0; --good: #1a7f4b; --warn: #a8560b; --other: #9aa4b0; }
@media (prefers-color-scheme: dark) { :root { --page: #0f1216; --card: #191e24; --ink: #e6e9ed;
  --faint: #9aa5b1; --line: #313943; --before: #f0984a; --after: #58a6f5; --good: #4cc38a; --warn: #f0a35e;
  --other: #66707c; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
main { max-width: 1080px; margin: 0 auto; padding: 28px 20px 60px; }
h1 { font-size: 1.7rem; line-height: 1.25; margin: 0 0 .4rem; overflow-wrap: anywhere; }
h2 { font-size: 1.2rem; margin: 0 0 .3rem; }
p { margin: .3rem 0 .8rem; max-width: 72ch; }
section { background: var(--card); border: 1px solid var(--line); border-radius: 12px; padding: 20px 22px;
  margin-top: 18px; }
.faint, .note { color: var(--faint); }
.note { font-size: .9rem; }
.lead { font-size: 1.08rem; overflow-wrap: anywhere; }
.name { overflow-wrap: anywhere; unicode-bidi: isolate; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(225px, 1fr)); gap: 12px; margin: 18px 0 0; }
.tile { background: var(--card); border: 1px solid var(--line); border-radius: 12px; padding: 14px 16px; }
.tile h3 { margin: 0; font-size: .85rem; font-weight: 500; color: var(--faint); }
.tile .big { font-size: 1.25rem; font-weight: 650; line-height: 1.3; font-variant-numeric: tabular-nums; }
.tile .small { font-size: .85rem; color: var(--faint); }
.good { color: var(--good); } .warn { color: var(--warn); }
svg { overflow: visible; }
svg text { font-size: 12px; fill: var(--faint); }
.axis { stroke: var(--line); stroke-width: 1; } .axis-fill { fill: var(--line); }
circle.before, rect.before { fill: var(--before); } circle.after, rect.after, path.after { fill: var(--after); }
rect.before { fill-opacity: .55; } .chart rect.after { fill-opacity: .7; }
circle.other { fill: var(--other); }
.gain { stroke: var(--after); stroke-opacity: .45; stroke-width: 3; }
.curve { stroke-width: 2.5; stroke-linecap: round; } .curve.after { stroke: var(--after); }
.curve.other { stroke: var(--other); stroke-width: 1.5; }
.chart { display: block; width: 100%; }
.rows { margin-top: .6rem; }
.row { display: grid; grid-template-columns: minmax(90px, 24%) 1fr 108px; gap: 12px; align-items: center; }
.row .what { font-size: .85rem; line-height: 1.25; text-align: right; }
.row .value { font-size: .82rem; font-variant-numeric: tabular-nums; color: var(--faint); white-space: nowrap; }
.row .value b { color: var(--ink); }
.track, .bar { width: 100%; display: block; }
.key { display: flex; flex-wrap: wrap; gap: 4px 18px; font-size: .9rem; color: var(--faint); margin: .2rem 0 .6rem; }
.key i { display: inline-block; width: 12px; height: 12px; border-radius: 3px; margin-right: 6px;
  vertical-align: -1px; }
.key .before { background: var(--before); } .key .after { background: var(--after); }
.key .other { background: var(--other); }
.two { display: grid; grid-template-columns: 1fr 1fr; gap: 28px; }
.maps { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 460px), 1fr)); gap: 26px 30px;
  margin-top: 1rem; }
figure { margin: 0; } figure h3 { margin: 0 0 .2rem; font-size: 1rem; }
.pair { display: grid; grid-template-columns: 1fr 1fr; gap: 12px; }
.pair div { font-size: .82rem; color: var(--faint); }
.pair img { display: block; width: 100%; aspect-ratio: 1; image-rendering: pixelated; border: 1px solid var(--line);
  margin-top: 3px; }
figcaption { font-size: .86rem; color: var(--faint); margin-top: .4rem; }
.scale { display: grid; grid-template-columns: auto 1fr auto; gap: 8px; align-items: center; font-size: .8rem;
  color: var(--faint); margin-top: .4rem; font-variant-numeric: tabular-nums; }
.scale img { width: 100%; height: 10px; border: 1px solid var(--line); image-rendering: pixelated; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .88rem; font-variant-numeric: tabular-nums; }
th { text-align: left; font-weight: 600; color: var(--faint); border-bottom: 1px solid var(--line);
  padding: 4px 14px 4px 0; vertical-align: bottom; }
td { border-bottom: 1px solid var(--line); padding: 5px 14px 5px 0; vertical-align: middle; }
td.n, th.n { text-align: right; white-space: nowrap; } td.bars { min-width: 120px; }
details { margin-top: .8rem; } summary { cursor: pointer; color: var(--faint); }
code { font-family: ui-monospace, "SFMono-Regular", Menlo, "DejaVu Sans Mono", monospace; font-size: .86em;
  overflow-wrap: anywhere; }
@media (max-width: 640px) {
  main { padding: 18px 12px 40px; } section { padding: 16px 14px; } h1 { font-size: 1.35rem; }
  .two { grid-template-columns: 1fr; } .tiles { grid-template-columns: 1fr 1fr; }
  .tile { padding: 10px 12px; } .tile .big { font-size: 1.05rem; }
  .row { grid-template-columns: 27% 1fr 84px; gap: 8px; } .row .what, .row .value { font-size: .74rem; }
}
@media print { section, .tile { break-inside: avoid; } }
"""
