"""The report's page: one HTML file with style and pictures inside, and no links."""

import base64
import html
from collections.abc import Iterable, Sequence

from tf_taskology.evaluation import gallery, pictures, tables

_STYLE = """
:root { color-scheme: light dark; --paper: #ffffff; --card: #f6f7f9; --ink: #1f2328; --soft: #636c76;
  --rule: #d8dee4; --better: #1a7f37; --worse: #cf222e; }
@media (prefers-color-scheme: dark) { :root { --paper: #0f1318; --card: #181d24; --ink: #e6eaef; --soft: #96a0ab;
  --rule: #2c343d; --better: #4cc26a; --worse: #ff7b72; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.55 system-ui, -apple-system, "Segoe UI",
  Roboto, "Helvetica Neue", "DejaVu Sans", sans-serif; }
main { max-width: 1240px; margin: 0 auto; padding: 40px 28px 80px; }
h1 { font-size: 2rem; line-height: 1.2; margin: 0 0 4px; letter-spacing: -0.02em; }
h2 { font-size: 1.35rem; margin: 56px 0 6px; letter-spacing: -0.01em; }
h3 { font-size: 1.02rem; margin: 28px 0 8px; }
p, figcaption { color: var(--soft); margin: 4px 0 14px; max-width: 78ch; }
figcaption { font-size: 0.85rem; margin-top: 8px; max-width: 68ch; contain: inline-size; }
figure { margin: 0 0 28px; }
.runs { display: flex; flex-wrap: wrap; gap: 6px 22px; margin: 14px 0 0; padding: 0; list-style: none; }
.runs li::before { content: ""; display: inline-block; width: 22px; height: 4px; border-radius: 2px; margin-right: 8px;
  vertical-align: middle; background: var(--color); }
.runs small { color: var(--soft); }
.keys { display: grid; grid-template-columns: repeat(auto-fill, minmax(250px, 1fr)); gap: 14px; margin: 14px 0 8px; }
.key { background: var(--card); border-radius: 10px; padding: 14px 18px; }
.key b { display: block; font-size: 1.6rem; line-height: 1.25; font-variant-numeric: tabular-nums; }
.key small { font-size: 0.85rem; font-weight: 400; color: var(--soft); }
.key span { font-size: 0.85rem; display: block; } .key span:first-child { color: var(--soft); }
.tables { display: flex; flex-wrap: wrap; gap: 0 40px; } .tables figure { max-width: 100%; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 0.9rem; }
th, td { padding: 6px 13px 6px 0; text-align: right; white-space: nowrap; border-bottom: 1px solid var(--rule); }
tbody tr:last-child > * { border-bottom: 0; }
th:first-child { text-align: left; font-weight: 400; }
thead th { color: var(--soft); font-weight: 600; }
.best { font-weight: 650; } .better { color: var(--better); } .worse { color: var(--worse); } .unclear { color: var(--soft); }
.charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(350px, 1fr)); gap: 10px 22px; }
.charts svg { width: 100%; height: auto; display: block; }
.charts svg text { font-family: inherit !important; }
.gallery { display: grid; grid-template-columns: repeat(var(--columns), minmax(96px, 1fr)); gap: 8px 10px;
  font-size: 0.8rem; color: var(--soft); padding-bottom: 22px; margin-bottom: 22px; border-bottom: 1px solid var(--rule); }
.gallery > * { min-width: 0; overflow-wrap: anywhere; }
.gallery header { font-weight: 600; color: var(--ink); align-self: end; }
.gallery img { width: 100%; display: block; border-radius: 4px; transition: transform 0.12s ease-out; }
.gallery img:hover { transform: scale(2); position: relative; z-index: 1; border-radius: 2px; }
.gallery .legend { align-self: end; } .gallery .legend img { height: 10px; } .gallery .legend img:hover { transform: none; }
.gallery .name { align-self: center; font-size: 1rem; font-weight: 600; color: var(--ink); overflow-wrap: anywhere; }
.video { display: grid; grid-template-columns: repeat(3, minmax(0, 1fr)); gap: 10px 12px; font-size: 0.8rem;
  color: var(--soft); padding-bottom: 22px; margin-bottom: 22px; border-bottom: 1px solid var(--rule); }
.video header { grid-column: 1 / -1; font-size: 1rem; font-weight: 600; color: var(--ink); overflow-wrap: anywhere; }
.video header + div:last-child { grid-column: 1 / -1; }
.video img { width: 100%; display: block; border-radius: 4px; margin-bottom: 2px; }
.sweeps { display: grid; grid-template-columns: repeat(var(--columns), minmax(0, 1fr)); gap: 10px 12px; font-size: 0.8rem;
  color: var(--soft); padding-bottom: 22px; margin-bottom: 22px; border-bottom: 1px solid var(--rule); }
.sweeps header { grid-column: 1 / -1; font-size: 1rem; font-weight: 600; color: var(--ink); overflow-wrap: anywhere; }
.sweeps img { width: 100%; display: block; border-radius: 4px; margin-bottom: 2px; }
@media (max-width: 700px) { .video, .sweeps { grid-template-columns: minmax(0, 1fr); } }
details { margin: 10px 0; } summary { cursor: pointer; }
pre { background: var(--card); border-radius: 10px; padding: 16px 18px; overflow-x: auto; font: 13px/1.5 ui-monospace,
  SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; }
@media print { details { display: none; } main { max-width: none; } }
"""


def page(title: str, body: str) -> str:
  """The whole document."""
  return (
    '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
    '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
    f"<title>{html.escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
  )


def section(title: str, intro: str, *parts: str) -> str:
  """A headed section; empty if it has no parts."""
  parts = [part for part in parts if part]
  if not parts:
    return ""
  return (
    f"<section><h2>{html.escape(title)}</h2><p>{html.escape(intro)}</p>{''.join(parts)}</section>"
  )


def runs_legend(entries: Sequence[tuple[str, str, str]]) -> str:
  """Runs as (name, remark, colour)."""
  items = "".join(
    f'<li style="--color: {color}">{html.escape(name)} <small>{html.escape(remark)}</small></li>'
    for name, remark, color in entries
  )
  return f'<ul class="runs">{items}</ul>'


def key_figures(headlines: Sequence[tables.Headline]) -> str:
  """Large numbers on cards."""
  cards = "".join(
    f'<div class="key"><span>{html.escape(h.label)}</span><b>{html.escape(h.value)} <small>{html.escape(h.run)}</small></b>'
    f'<span class="{h.difference.tone}">{html.escape(h.difference.text)}</span></div>'
    for h in headlines
  )
  return f'<div class="keys">{cards}</div>' if cards else ""


def chart_grid(title: str, svgs: Sequence[str]) -> str:
  """Curves beside each other under a heading."""
  return f'<h3>{html.escape(title)}</h3><div class="charts">{"".join(svgs)}</div>' if svgs else ""


def gallery_grid(shown: gallery.Gallery) -> str:
  """A sample's pictures."""
  cells = [f"<header>{html.escape(name)}</header>" for name in shown.columns]
  cells += [
    _tile(tile, column)
    for row in shown.rows
    for tile, column in zip(row, shown.columns, strict=True)
  ]
  return f'<div class="gallery" style="--columns: {len(shown.columns)}">{"".join(cells)}</div>'


def video_grid(shown: gallery.Gallery, run: str, animation: bytes) -> str:
  """A video's pictures three beside each other, row by row, and last an animation (GIF) of one run."""
  cells = []
  for row in shown.rows:
    head, *tiles = row
    cells.append(f"<header>{html.escape(head.caption)}</header>")
    tiles = [(shown.columns[0], head), *zip(shown.columns[1:], tiles, strict=True)]
    cells += [
      _figure(column, tile.caption, *pictures.small(tile.image))
      for column, tile in tiles
      if tile.image is not None
    ]
  cells.append("<header>all frames</header>")
  cells.append(_figure("frame by frame", run, "gif", animation))
  return f'<div class="video">{"".join(cells)}</div>'


def sweep_grid(shown: gallery.Gallery) -> str:
  """Pictures of point clouds: a heading and two large pictures, or one, for the truth and each run."""
  cells = []
  for head, *tiles in shown.rows:
    cells.append(f"<header>{html.escape(head.caption)}</header>")
    cells += [
      _figure(column, tile.caption, *pictures.small(tile.image))
      for column, tile in zip(shown.columns[1:], tiles, strict=True)
    ]
  columns = max(2, len(shown.columns) - 1)  # one alone would be as wide as the page
  return f'<div class="sweeps" style="--columns: {columns}">{"".join(cells)}</div>'


def details(summary: str, text: str) -> str:
  """Preformatted text that opens on a click."""
  return (
    f"<details><summary>{html.escape(summary)}</summary><pre>{html.escape(text)}</pre></details>"
  )


def _figure(column: str, caption: str, kind: str, encoded: bytes) -> str:
  text = html.escape(": ".join(part for part in (column, caption) if part))
  data = base64.b64encode(encoded).decode()
  return f'<div><img alt="{text}" src="data:image/{kind};base64,{data}">{text}</div>'


def _tile(tile: pictures.Tile, column: str) -> str:
  caption = html.escape(tile.caption)
  if tile.image is None:
    return f'<div class="name">{caption}</div>'
  data = base64.b64encode(pictures.png(tile.image)).decode()
  kind = "legend" if tile.image.shape[0] == 1 else "tile"
  alt = html.escape(f"{column}, {tile.caption}".rstrip(", "))
  return f'<div class="{kind}"><img alt="{alt}" src="data:image/png;base64,{data}">{caption}</div>'


def limited(groups: Iterable[tuple[str, Iterable[str]]], max_bytes: int) -> list[str]:
  """Titled groups of grids as HTML, as many grids as fit.

  Args:
    groups: title and grids of each; those without a grid are left out.
    max_bytes: of all grids together; groups say how many more there would have been.
  """
  parts, size = [], 0
  for title, grids in groups:
    shown, left_out = [], 0
    for grid in grids:
      if size + len(grid) > max_bytes:
        left_out += 1
        continue
      size += len(grid)
      shown.append(grid)
    if left_out:
      shown.append(f"<p>{left_out} more left out: the page would be too large.</p>")
    if shown:
      parts += [f"<h3>{html.escape(title)}</h3>", *shown]
  return parts
