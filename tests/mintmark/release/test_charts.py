"""Charts of published aggregates: drawn where there is something, the same bytes each time."""

from mintmark.release.charts import accuracy_chart, attack_chart
from mintmark.release.pictures import decode_png
from mintmark.release.published import publish


def test_charts_are_pictures_with_stable_bytes(reports):
    evidence = publish(reports, min_records=20, decimals=3)
    for chart in (accuracy_chart, attack_chart):
        content = chart(evidence)
        assert content is not None
        assert content == chart(evidence)
        assert decode_png(content).std() > 0
        assert b"Software" not in content


def test_another_value_moves_the_picture(reports, measured):
    evidence = publish(reports, min_records=20, decimals=3)
    moved = publish(
        {**reports, "evaluate": measured(reports["evaluate"], "real_accuracy", value=0.5, low=0.4, high=0.6)},
        min_records=20,
        decimals=3,
    )
    assert accuracy_chart(evidence) != accuracy_chart(moved)


def test_nothing_measured_draws_nothing(reports):
    empty = publish({"cluster": reports["cluster"]}, min_records=20, decimals=3)
    assert accuracy_chart(empty) is None
    assert attack_chart(empty) is None
