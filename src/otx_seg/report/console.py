"""A rich console that shows texts from outside as they are read, not as a terminal obeys them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from otx_seg.runtime.terminal import as_cell, as_message, give_up, printable

LONGEST_TEXT = 200
"""Characters of a text that is no message, such as the title of a table or what stands beside a bar."""


class Cell(str):
    """A text in a cell of a table, see `as_cell`."""

    __slots__ = ()


class PlainConsole(Console):
    """Prints texts without markup, with what no one sees by its code, and with the middle of long ones left out.

    The text in a call of `print` is a message, whose own lines are indented; other texts are parts of tables
    and bars.
    """

    def __init__(self, **options: Any) -> None:
        # Labels and paths may hold [brackets] and :colons: that are meant as they are.
        super().__init__(markup=False, emoji=False, **options)

    def print(self, *objects: Any, **options: Any) -> None:
        """Print messages, which are left for the terminal to wrap, tables and other renderables."""
        if all(isinstance(item, (str, Text)) for item in objects):
            options = {"soft_wrap": True, **options}
        super().print(*(self._as_message(item, options) for item in objects), **options)

    def _as_message(self, item: Any, options: dict[str, Any]) -> Any:
        if not isinstance(item, str):
            return item
        return super().render_str(as_message(item), highlight=options.get("highlight"))

    def render_str(self, text: str, **options: Any) -> Text:
        """As rich does it, of a printable text."""
        encoding = getattr(self.file, "encoding", None) or "utf-8"  # rich looks for it before there is a file
        cell = isinstance(text, Cell)
        shown = as_cell(text, encoding) if cell else printable(text, LONGEST_TEXT, encoding)
        return super().render_str(shown, **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """As rich does it; nothing but its own control sequences reaches the terminal."""
        for segment in super().render(renderable, options):
            if segment.control or segment.text.isprintable():
                yield segment
            else:
                yield segment._replace(text=printable(segment.text, len(segment.text)))

    def on_broken_pipe(self) -> None:
        """Continue without output: who read it has gone, who waits for the work has not."""
        give_up(self.file)
        self.quiet = True
