"""Tables as text for a terminal, as Markdown and as HTML."""

import html
import unicodedata
from collections.abc import Sequence

from tf_taskology.evaluation import tables

_ANSI = {"best": "\033[1m", "better": "\033[32m", "worse": "\033[31m", "unclear": "\033[2m"}
_ANSI_END = "\033[0m"


def text(table: tables.Table, color: bool = False) -> str:
  """Aligned columns under a title, for a terminal or a log.

  Args:
    table: what to show.
    color: use ANSI colours; only for terminals.
  """
  columns = list(
    zip(table.header, *([cell.text for cell in row] for row in table.rows), strict=True)
  )
  widths = [max(map(_width, column)) for column in columns]
  rule = "  ".join("─" * width for width in widths)
  lines = [table.title, rule, _line(table.header, widths), rule]
  for row in table.rows:
    cells = [
      _padded(cell.text, width, i) for i, (cell, width) in enumerate(zip(row, widths, strict=True))
    ]
    if color:
      cells = [_colored(padded, cell.tone) for padded, cell in zip(cells, row, strict=True)]
    lines.append("  ".join(cells).rstrip())
  lines += [rule, *table.notes]
  return "\n".join(lines) + "\n"


def markdown(table: tables.Table) -> str:
  """A GitHub table under a bold title; the best value of a row or column is bold."""
  lines = [
    f"**{table.title}**",
    "",
    _markdown_row(table.header),
    _markdown_row(["---"] + ["--:"] * (len(table.header) - 1)),
  ]
  for row in table.rows:
    lines.append(
      _markdown_row([f"**{cell.text}**" if cell.tone == "best" else cell.text for cell in row])
    )
  lines += ["", *(f"{note}  " for note in table.notes)]
  return "\n".join(lines).rstrip() + "\n"


def as_html(table: tables.Table) -> str:
  """A `<figure>` with a table; a cell's tone is its class."""
  head = "".join(f"<th>{html.escape(name)}</th>" for name in table.header)
  body = []
  for row in table.rows:
    first, *others = row
    cells = "".join(
      f'<td class="{cell.tone}">{html.escape(cell.text)}</td>'
      if cell.tone
      else f"<td>{html.escape(cell.text)}</td>"
      for cell in others
    )
    body.append(f"<tr><th>{html.escape(first.text)}</th>{cells}</tr>")
  notes = "<br>".join(html.escape(note) for note in table.notes)
  return (
    f'<figure class="table"><h3>{html.escape(table.title)}</h3><div class="scroll"><table><thead><tr>{head}</tr></thead>'
    f"<tbody>{''.join(body)}</tbody></table></div><figcaption>{notes}</figcaption></figure>"
  )


def _width(string: str) -> int:
  """Columns on a terminal; combining marks take none."""
  return sum(not unicodedata.combining(character) for character in string)


def _padded(string: str, width: int, column: int) -> str:
  space = " " * (width - _width(string))
  return string + space if column == 0 else space + string


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
  return "  ".join(
    _padded(c, w, i) for i, (c, w) in enumerate(zip(cells, widths, strict=True))
  ).rstrip()


def _colored(string: str, tone: str) -> str:
  return f"{_ANSI[tone]}{string}{_ANSI_END}" if tone else string


def _markdown_row(cells: Sequence[str]) -> str:
  return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
