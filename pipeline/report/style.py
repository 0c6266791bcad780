"""The report's style sheet: light and dark, from 320 pixels on; text has a contrast of 4.5 to 1 or more (WCAG AA)."""

STYLE = """\
:root {
  color-scheme: light dark;
  --page: #ffffff; --text: #1b1c1d; --muted: #57595c; --line: #c9cbce; --panel: #f3f4f6; --link: #0b57a4;
  --alert: #a02c00;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #14171a; --text: #e6e6e6; --muted: #adb1b6; --line: #44494f; --panel: #20252a; --link: #8ec1ff;
    --alert: #ff9d73;
  }
  .tile img, .pixels { filter: invert(1); }
}
* { box-sizing: border-box; }
@media (prefers-reduced-motion: no-preference) { html { scroll-behavior: smooth; } }
body {
  font: 16px/1.5 system-ui, sans-serif; color: var(--text); background: var(--page);
  max-width: 72rem; margin: 0 auto; padding: 1rem; overflow-wrap: break-word;
}
a { color: var(--link); }
h1 { font-size: clamp(1.35rem, 1rem + 1.7vw, 2rem); line-height: 1.25; margin: .3rem 0 .6rem; }
h2 { font-size: 1.3rem; margin: 2.5rem 0 .5rem; border-top: 1px solid var(--line); padding-top: 1rem; }
h3 { font-size: 1.05rem; margin: 1.2rem 0 .3rem; }
p, ul { margin: .4rem 0; max-width: 50rem; }
ul { padding-left: 1.2rem; }
.muted, figcaption, dt { color: var(--muted); }
.alert { border-left: .3rem solid var(--alert); background: var(--panel); padding: .4rem .8rem; margin: .6rem 0; }
.alert b { color: var(--alert); }
.next { background: var(--panel); border-radius: .4rem; padding: .6rem 1rem; margin: 1rem 0; }
.next h2 { font-size: 1rem; border: 0; margin: 0; padding: 0; }
code, pre { font: .85rem/1.5 ui-monospace, monospace; }
code { overflow-wrap: anywhere; }
pre { margin: .2rem 0 .6rem; white-space: pre-wrap; overflow-wrap: anywhere; }
nav ul { display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; list-style: none; padding: 0; }
dl { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 15rem), 1fr)); gap: .6rem 1.5rem; }
dt { font-size: .85rem; } dd { margin: 0; overflow-wrap: anywhere; }
.plots > * { min-width: 0; }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 26rem), 1fr)); gap: 0 2rem; }
figure { margin: 1rem 0; max-width: 36rem; min-width: 0; }
figure > img { width: 100%; height: auto; display: block; }
figcaption { font-size: .9rem; }
.tiles { display: grid; grid-template-columns: repeat(auto-fill, minmax(7.5rem, 1fr)); gap: .8rem; margin: .6rem 0; }
.tile img { width: 5.25rem; height: 5.25rem; image-rendering: pixelated; display: block; }
.pixels { image-rendering: pixelated; }
.tile { font-size: .85rem; line-height: 1.35; }
.scroll { overflow-x: auto; max-width: 100%; margin: .6rem 0; }
.hint { display: none; }
@media (max-width: 46rem) { .hint { display: block; } }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .5rem; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap; }
th:first-child, td:first-child { text-align: left; }
details { border-bottom: 1px solid var(--line); padding: .3rem 0; }
summary { cursor: pointer; padding: .2rem 0; font-weight: 600; }
@media print {
  body { max-width: none; padding: 0; font-size: 11px; }
  .hint, nav { display: none; }
  .scroll { overflow: visible; }
  details::details-content { content-visibility: visible; block-size: auto; opacity: 1; }
  figure, .tile, tr, .next { break-inside: avoid; }
}
"""
