"""Progress: every item passes through, and plain lines tell of it where there is no terminal."""

import io
import sys

import pytest

from mintmark import progress
from mintmark.progress import track


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_every_item_passes_in_order_and_the_last_line_says_all(capsys):
    assert list(track("abc", "letters")) == ["a", "b", "c"]
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == "progress letters 3/3\n"


def test_lines_come_a_few_seconds_apart(capsys, monkeypatch):
    clock = iter([0.0, 1.9, 2.1, 3.0, 4.2, 4.3])  # the start, then one for each item, and again when a line is said
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    list(track(range(3), "steps"))
    assert capsys.readouterr().err.splitlines() == ["progress steps 2/3", "progress steps 3/3"]


def test_an_item_counts_as_done_when_the_next_is_asked_for(capsys, monkeypatch):
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 0.0)
    items = track(range(2), "steps")
    next(items)
    assert capsys.readouterr().err == ""
    next(items)
    assert capsys.readouterr().err == "progress steps 1/2\n"


def test_what_has_no_length_needs_a_total(capsys):
    assert list(track(iter("ab"), "letters", total=2)) == ["a", "b"]
    assert capsys.readouterr().err == "progress letters 2/2\n"
    with pytest.raises(TypeError, match="total must be given for letters"):
        list(track(iter("ab"), "letters"))


def test_nothing_to_do_says_nothing(capsys):
    assert list(track([], "letters")) == []
    assert capsys.readouterr().err == ""


def test_a_terminal_sees_a_bar_and_no_lines(monkeypatch, capsys):
    monkeypatch.setattr(sys, "stderr", Terminal())
    assert list(track("abc", "letters")) == ["a", "b", "c"]
    assert "progress letters" not in sys.stderr.getvalue()  # type: ignore[attr-defined]
    assert "progress letters" not in capsys.readouterr().out
