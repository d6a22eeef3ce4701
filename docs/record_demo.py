"""Record a real ``starter.py demo`` as docs/demo.svg.

    RINGMASTER_DATA_DIR=$(mktemp -d) PYTHONPATH=. python docs/record_demo.py

Every number in the picture comes from the run. A terminal would redraw one panel; the picture keeps two: the
one at the pause and the last one.
"""

import re
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from rich.console import Console, RenderableType

from commands import demo

OUT = Path(__file__).with_name("demo.svg")
COLUMNS = 108


class Frames:
    """Stands in for rich's Live: prints the panel when the demo says something, and at the end."""

    def __init__(self, renderable: RenderableType, *, console: Console, **_: Any) -> None:
        self._panel, self._console = renderable, console
        self.console = self

    def update(self, renderable: RenderableType) -> None:
        self._panel = renderable

    def print(self, *objects: Any) -> None:
        self._console.print(self._panel)
        self._console.print(*objects)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._console.print(self._panel)


def main() -> None:
    """Run the faulty scenario, its culprit left out, and write the picture."""
    # The folder of the state is the one thing that says whose machine this was.
    stand_ins = {
        "console": Console(record=True, width=COLUMNS),
        "Live": Frames,
        "_short": lambda path: Path(path.name),
    }
    vars(demo).update(stand_ins)
    demo.console.print("$ make demo SCENARIO=faulty UNATTENDED=exclude")
    demo.demo(demo.Scenario.FAULTY, demo.Unattended.EXCLUDE, 2_000)
    picture = demo.console.export_svg(title="ringmaster", unique_id="demo")
    # The fonts of rich's template come from another host; any monospaced one will do.
    OUT.write_text(re.sub(r"@font-face \{.*?\}\s*", "", picture, flags=re.DOTALL), encoding="utf-8")


if __name__ == "__main__":
    main()
