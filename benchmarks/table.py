"""What a run prints: figures with their spread, ours beside each of the others, and whether what we hold to is held."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from benchmarks.rounds import Series

WIDTHS = (44, 10, 20, 11, 26)
"""Name, median, spread, ratio, bound."""


@dataclass(frozen=True, slots=True)
class Bound:
    """What is wanted of a figure: `hold` always, `aim` if it can be.

    more: whether more is better. derived: the bound is for a server that is not here and was turned into one for the
    server that is, by the figures both had in one earlier run.
    """

    hold: float
    aim: float
    more: bool = False
    derived: bool = False

    def words(self, value: float) -> str:
        """The bound beside a value, and whether it is held."""
        sign = "≥" if self.more else "≤"
        about = "~" if self.derived else ""
        return f"{about}{sign} {self.hold:g} / {self.aim:g}  {self.verdict(value)}"

    def verdict(self, value: float) -> str:
        """`MISS`, `ok`, or `ok, aim met`."""
        if not self._within(value, self.hold):
            return "MISS"
        return "ok, aim met" if self._within(value, self.aim) else "ok"

    def _within(self, value: float, bound: float) -> bool:
        return value >= bound if self.more else value <= bound


@dataclass(frozen=True, slots=True)
class Row:
    """One line. ratio: ours to this one's, or another ratio that `bound` is about; without it the value is."""

    name: str
    series: Series | None
    ratio: float | None = None
    bound: Bound | None = None
    note: str = ""


@dataclass(slots=True)
class Group:
    """Figures of one kind, in one unit."""

    title: str
    unit: str
    rows: list[Row] = field(default_factory=list)


def compare(group: Group, series: dict[str, Series], ours: str, bounds: dict[str, Bound]) -> None:
    """Add ours, and then each of the others with the ratio of ours to it."""
    group.rows.append(Row(ours, series[ours]))
    for name, its in series.items():
        if name != ours:
            group.rows.append(Row(name, its, series[ours].ratio(its), bounds.get(name)))


def lines(groups: Sequence[Group]) -> Iterator[str]:
    """The whole table."""
    yield _line(("", "median", "least to most", "ours ÷ it", "hold / aim"))
    for group in groups:
        yield ""
        yield f"{group.title}  [{group.unit}]" if group.unit else group.title
        for row in group.rows:
            yield _row(row)


def missed(groups: Sequence[Group]) -> list[str]:
    """The figures that are not held."""
    return [f"{group.title}: {row.name}" for group in groups for row in group.rows if _verdict(row) == "MISS"]


def _row(row: Row) -> str:
    if row.series is None:
        return _line((f"  {row.name}", "-", row.note, "", ""))
    value = _subject(row)
    bound = row.bound.words(value) if row.bound is not None and value is not None else ""
    spread = f"{_number(row.series.low)} to {_number(row.series.high)}"
    ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
    text = _line((f"  {row.name}", _number(row.series.median), spread, ratio, bound))
    return f"{text}  {row.note}".rstrip()


def _verdict(row: Row) -> str:
    value = _subject(row)
    return row.bound.verdict(value) if row.bound is not None and value is not None else ""


def _subject(row: Row) -> float | None:
    """What a row's bound is about."""
    if row.ratio is not None:
        return row.ratio
    return row.series.median if row.series is not None else None


def _number(value: float) -> str:
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 20 else f"{value:.2f}"


def _line(cells: tuple[str, str, str, str, str]) -> str:
    name, middle, spread, ratio, bound = cells
    widths = WIDTHS
    return (
        f"{name:{widths[0]}}{middle:>{widths[1]}}   {spread:{widths[2]}}{ratio:>{widths[3]}}   {bound:{widths[4]}}"
    ).rstrip()
