"""Lines that join children to parents, drawn left of a list, as `git log --graph` does."""

from collections.abc import Iterable, Iterator


def drawn(rows: Iterable[tuple[str, str | None]]) -> Iterator[tuple[list[str], str]]:
    """What stands left of each row: lines of their own before it, then the row's own beginning.

    Args:
        rows: (name, parent's name or None), every child above its parent.
    """
    lanes: list[str] = []  # each lane leads down to the row that it names
    for name, parent in rows:
        mine = [place for place, awaited in enumerate(lanes) if awaited == name]
        if not mine:
            mine = [len(lanes)]
            lanes.append(name)
        before = []
        for place in reversed(mine[1:]):  # a second child's lane bends into the first one's
            before.append("| " * (place - 1) + "|/" + " |" * (len(lanes) - place - 1))
            del lanes[place]
        marks = ["*" if place == mine[0] else "|" for place in range(len(lanes))]
        yield [line.rstrip() for line in before], " ".join(marks)
        if parent is None:
            del lanes[mine[0]]
        else:
            lanes[mine[0]] = parent
