"""The verdict for a terminal and for Markdown: one row a rule, with its value, interval, n, limit and outcome.

Takes `verdict.json` as read. Judges nothing.
"""

from collections.abc import Mapping
from typing import Any

from rich.table import Table
from rich.text import Text

from mintmark.release import words

OUTCOMES = {"passed": "pass", "failed": "FAIL", "not measured": "NOT MEASURED"}
_STYLES = {"passed": "green", "failed": "bold red", "not measured": "bold yellow"}
RULE_WIDTH = 12  # columns at least; more would push the outcome off a terminal of 80
HEADINGS = ("rule", "value", "interval", "n", "limit", "outcome")


def verdict_table(verdict: Mapping[str, Any]) -> Table:
    """The verdict as a table for a terminal; its sentence above, the answer on augmentation below."""
    table = Table(title=words.sentence(verdict), caption=_closing(verdict), title_justify="left", title_style="bold")
    table.caption_justify = "left"
    for heading in HEADINGS:
        right = heading in {"value", "n"}
        table.add_column(
            heading, justify="right" if right else "left", min_width=RULE_WIDTH if heading == "rule" else None
        )
    for rule in verdict["rules"]:
        outcome = Text(OUTCOMES[rule["status"]], style=_STYLES[rule["status"]])
        table.add_row(*(Text(cell) for cell in _cells(rule)), outcome)
    return table


def verdict_markdown(verdict: Mapping[str, Any]) -> str:
    """The same as Markdown."""
    rows = [[*_cells(rule), OUTCOMES[rule["status"]]] for rule in verdict["rules"]]
    lines = [
        f"**{_escaped(words.sentence(verdict))}**",
        "",
        f"| {' | '.join(HEADINGS)} |",
        f"|{' --- |' * len(HEADINGS)}",
        *(f"| {' | '.join(_escaped(cell) for cell in row)} |" for row in rows),
        "",
        _escaped(_closing(verdict)),
    ]
    return "\n".join(lines) + "\n"


def _cells(rule: Mapping[str, Any]) -> list[str]:
    n = "-" if rule["n"] is None else f"{rule['n']:,}"
    return [rule["name"], words.number(rule["value"], rule["unit"]), words.interval(rule), n, words.limit(rule)]


def _closing(verdict: Mapping[str, Any]) -> str:
    """What else a person must know: withheld artefacts, the rule to work on, the answer on augmentation."""
    said = []
    if verdict["released"] and verdict["withheld"]:
        broken = verdict["sets"][0]["broken"]
        said.append(
            f"Withheld: {words.artefacts(verdict['withheld'])}, because this does not hold: {'; '.join(broken)}."
        )
    if verdict["work_on"] is not None:
        said.append(f"Work on: {verdict['work_on']['rule']} ({verdict['work_on']['why']}).")
    return " ".join([*said, words.augmentation(verdict)])


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*")
