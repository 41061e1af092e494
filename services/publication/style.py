"""The style of the site: the sheet that all public pages share, and what this site adds. Pure."""

from services.runtime.stylesheet import STYLE

STYLE_SHEET = (
    STYLE
    + """\
header .home { display: flex; align-items: center; gap: .5rem; color: var(--ink); }
header nav a { text-decoration: none; }
header nav a:hover { text-decoration: underline; }
header .parts { flex-basis: 100%; gap: .35rem 1.4rem; flex-wrap: wrap; }
.hero { padding: 3.5rem 0 1.5rem; max-width: 46rem; }
.hero h1 { font-size: clamp(2.1rem, 1.4rem + 3vw, 3.4rem); letter-spacing: -.01em; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(24rem, 100%), 1fr));
  gap: 1.1rem; padding: 0 0 1rem; }
.card { position: relative; background: var(--card); border: 1px solid var(--line);
  border-radius: .7rem; padding: 1.2rem 1.4rem 1rem; border-block-start: .3rem solid var(--grant);
  break-inside: avoid; transition: border-color .15s; display: flex; flex-direction: column; }
.card.catalogue { border-block-start-color: #b7791f; }
.card.indicators { border-block-start-color: var(--link); }
.card.log { border-block-start-color: #7a5ea8; }
.card h2 { padding: 0; font-size: 1.5rem; }
.card a { text-decoration: none; color: var(--ink); }
.card a::after { content: ""; position: absolute; inset: 0; border-radius: .7rem; }
.card:hover { border-color: var(--faint); }
.card p { margin: .4rem 0 0; }
.card .faint { font-size: .85rem; margin-block-start: auto; padding-block-start: .9rem; }
.jump li { display: inline; }
.wide { overflow-x: auto; }
section > .wide caption, .wide caption { white-space: nowrap; }
td, th { hyphens: auto; }
td code { overflow-wrap: break-word; }
dd { overflow-wrap: anywhere; }
.mark { border: 1px solid var(--line); border-radius: 1rem; padding: .05rem .6rem;
  font-size: .85rem; white-space: nowrap; }
.mark.sensitive { border-color: var(--ban); color: var(--ban); }
.mark.personal { border-color: #b7791f; }
.mark.public { border-color: var(--grant); color: var(--grant); }
.over { color: var(--ban); }
:target { background: var(--wash); outline: 2px solid var(--link); outline-offset: 3px; }
pre { background: var(--wash); border-radius: .5rem; padding: 1rem 1.2rem;
  white-space: pre-wrap; overflow-wrap: anywhere;
  font: .82rem/1.5 "Source Code Pro", ui-monospace, Menlo, monospace; }
figure { margin: 1.5rem 0 1rem; background: var(--card); border: 1px solid var(--line);
  border-radius: .7rem; padding: 1rem 1.3rem; break-inside: avoid; }
figcaption { font-weight: 600; margin-block-end: .8rem; display: flex; flex-wrap: wrap;
  gap: .3rem 1.5rem; justify-content: space-between; }
.legend { font-weight: 400; font-size: .85rem; color: var(--faint); display: flex; gap: 1.2rem;
  flex-wrap: wrap; }
.key::before { content: "■"; margin-inline-end: .35em; }
.key.released::before { color: var(--grant); }
.key.refused::before { color: var(--ban); }
.key.abandoned::before { color: #b7791f; }
.bars { display: block; width: 100%; max-height: 14rem; }
.bars .released { fill: var(--grant); }
.bars .refused { fill: var(--ban); }
.bars .abandoned { fill: #b7791f; }
.bars g:hover rect { opacity: .75; }
.bars line { stroke: var(--line); }
.axis { display: flex; justify-content: space-between; color: var(--faint); font-size: .8rem;
  margin: .3rem 0 0; font-variant-numeric: tabular-nums; }
.door main { text-align: start; }
.door h1 { margin-block-start: 1rem; }
@media (max-width: 40rem) {
  .wide thead { position: absolute; left: -999rem; }
  .wide :is(table, caption, tbody, tr, th, td) { display: block; }
  .wide caption { white-space: normal; overflow-wrap: anywhere; }
  .wide tr { padding: .6rem 0; border-bottom: 1px solid var(--line); }
  .wide tbody :is(th, td) { border: 0; padding: 0; text-align: start; }
  .wide td:empty { display: none; }
  .wide td::before { content: attr(data-head); margin-inline-end: .6em; color: var(--faint);
    font-size: .85rem; }
}
@media print {
  header .parts, .home img { display: none; }
  .card, figure { border-color: #bbb; }
  .card a::after { content: none; }
  pre { border: 1px solid #bbb; }
}
"""
)

MARK = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32" width="32" height="32">
<rect width="32" height="32" rx="7" fill="#1d6b4f"/>
<path d="M16 5v22M5 16h22" stroke="#fff" stroke-width="3" stroke-linecap="round"/>
<circle cx="16" cy="16" r="4.5" fill="#1d6b4f" stroke="#fff" stroke-width="3"/>
</svg>
"""
