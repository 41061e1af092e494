"""The style sheet of pages for the public: system fonts, two colour schemes, print. Pure."""

STYLE = """\
:root {
  color-scheme: light dark;
  --paper: #fbfaf7; --card: #ffffff; --ink: #1c2430; --faint: #5a6472; --line: #d9d5cb;
  --link: #0b4f8a; --grant: #1d6b4f; --ban: #9b2c2c; --wash: #eef3f1;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #14181d; --card: #1b2127; --ink: #e8e6e1; --faint: #a3acb8; --line: #333c46;
    --link: #8cc4f5; --grant: #7fd0ae; --ban: #f0a0a0; --wash: #1f2a28;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--paper); color: var(--ink);
  font: 1rem/1.55 "Source Sans 3", "Segoe UI", system-ui, -apple-system, sans-serif;
}
h1, h2, caption { font-family: "Source Serif 4", Charter, Georgia, serif; text-wrap: balance; }
h1 { font-size: clamp(1.7rem, 1.2rem + 2vw, 2.5rem); line-height: 1.15; margin: .2rem 0 1rem; }
h2, caption { font-size: 1.35rem; margin: 0; padding: 2rem 0 .7rem; text-align: start; }
caption { font-weight: 700; }
caption h2 { font: inherit; padding: 0; }
small { font-size: .8em; font-weight: 400; color: var(--faint); }
a { color: var(--link); text-underline-offset: .15em; }
a:focus-visible { outline: 3px solid var(--link); outline-offset: 2px; border-radius: 2px; }
code { font: .85em/1.4 "Source Code Pro", ui-monospace, Menlo, monospace; color: var(--faint);
  overflow-wrap: anywhere; }
header, main, footer { max-width: 62rem; margin: 0 auto; padding: 1rem 1.25rem; }
header { display: flex; flex-wrap: wrap; gap: .5rem 1.5rem; justify-content: space-between;
  border-bottom: 1px solid var(--line); }
header nav { display: flex; flex-wrap: wrap; gap: .2rem .9rem; }
[aria-current] { color: var(--ink); font-weight: 700; text-decoration: none; }
.home { font-weight: 600; text-decoration: none; }
.skip { position: absolute; left: -999rem; background: var(--card); padding: .5rem 1rem; }
.skip:focus { left: 1rem; top: .5rem; z-index: 1; }
.kicker { margin: 1rem 0 0; color: var(--faint); letter-spacing: .04em; }
.lead { font-size: 1.15rem; max-width: 44rem; }
.faint { color: var(--faint); }
.jump { display: flex; flex-wrap: wrap; gap: .3rem 1.2rem; }
table { width: 100%; border-collapse: collapse; }
th, td { text-align: start; vertical-align: top; padding: .5rem .9rem .5rem 0;
  border-bottom: 1px solid var(--line); }
thead th { color: var(--faint); font-size: .85rem; font-weight: 600; }
tbody th { font-weight: 600; }
#d tbody th, time { white-space: nowrap; }
.number { text-align: end; padding-inline-end: 0; font-variant-numeric: tabular-nums; }
.facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(11rem, 1fr));
  gap: .8rem 1.5rem; margin: 0 0 1rem; padding: 1rem 1.2rem; background: var(--wash);
  border-radius: .5rem; }
dt { color: var(--faint); font-size: .85rem; }
dd { margin: 0; }
.state::before { content: "●"; margin-inline-end: .35em; color: var(--grant); }
.state.suspended::before { color: #b7791f; }
.state.withdrawn::before { color: var(--ban); }
.state.expired::before { color: var(--faint); }
article { background: var(--card); border: 1px solid var(--line);
  border-inline-start: .3rem solid var(--grant); border-radius: .4rem;
  padding: .9rem 1.2rem; margin: 0 0 .9rem; break-inside: avoid; }
article.ban { border-inline-start-color: var(--ban); }
article.over { border-inline-start-color: var(--line); background: none; }
article:target { outline: 2px solid var(--link); }
h3 { font-size: 1rem; margin: 0 0 .6rem; display: flex; flex-wrap: wrap; gap: .2rem 1rem;
  justify-content: space-between; }
.when { font-weight: 400; color: var(--faint); }
article dl { margin: 0; }
article dl > div { display: grid; grid-template-columns: 9rem 1fr; gap: .1rem 1rem;
  padding: .25rem 0; }
ul { margin: 0; padding: 0; list-style: none; }
.elements { columns: 2 20rem; column-gap: 1.5rem; }
.elements li { break-inside: avoid; padding-bottom: .15rem; }
.text { max-width: 44rem; font-family: Charter, Georgia, serif; }
footer { color: var(--faint); font-size: .85rem; border-top: 1px solid var(--line);
  margin-top: 3rem; }
.door main { max-width: 34rem; padding-top: 12vh; }
.door li a { display: flex; justify-content: space-between; gap: 1rem; padding: .9rem 0;
  border-bottom: 1px solid var(--line); font-size: 1.15rem; text-decoration: none; }
.door span { color: var(--faint); }
@media (max-width: 40rem) {
  article dl > div { grid-template-columns: 1fr; }
  th, td { padding-inline-end: .5rem; }
  #d thead { position: absolute; left: -999rem; }
  #d tbody tr { display: grid; grid-template-columns: 1fr auto; gap: 0 1rem;
    grid-template-areas: "number state" "title title" "day day"; padding: .6rem 0;
    border-bottom: 1px solid var(--line); }
  #d tbody > tr > * { border: 0; padding: 0; }
  #d tbody th { grid-area: number; }
  #d td:nth-child(2) { grid-area: title; }
  #d td:nth-child(3) { grid-area: day; color: var(--faint); }
  #d td:nth-child(4) { grid-area: state; }
}
@media print {
  :root { color-scheme: light; --paper: #fff; --card: #fff; --ink: #000; --faint: #444;
    --line: #bbb; --link: #000; --wash: #fff; }
  @page { size: A4; margin: 18mm 16mm; }
  body { font-size: 10pt; }
  header nav, .skip, .jump { display: none; }
  header, main, footer { max-width: none; padding-inline: 0; }
  h2, caption, h3 { break-after: avoid; }
  thead { display: table-header-group; }
  a { text-decoration: none; }
}
"""
