"""The page: self-contained, escaped, readable without colour, and different for the two audiences."""

import re
from html.parser import HTMLParser

import pytest

from mintmark.release.page import Picture, everything, render
from mintmark.release.pictures import encode_png
from mintmark.release.published import publish, publish_verdict

VOID = {"meta", "img", "br", "link", "input", "circle", "path"}


class Outline(HTMLParser):
    """Checks that elements nest, and collects headings, pictures and addresses."""

    def __init__(self):
        super().__init__()
        self.open, self.headings, self.alts, self.addresses = [], [], [], []

    def handle_starttag(self, tag, attrs):
        facts = dict(attrs)
        if tag not in VOID:
            self.open.append(tag)
        if re.fullmatch(r"h[1-6]", tag):
            self.headings.append(int(tag[1]))
        if tag == "img":
            self.alts.append(facts.get("alt"))
        self.addresses += [facts[key] for key in ("src", "href", "action", "srcset") if key in facts]

    def handle_startendtag(self, tag, attrs):
        pass

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.fixture
def picture(digits) -> Picture:
    return Picture(title="Does it leak?", caption="A curve.", png=encode_png(digits.images[0]))


@pytest.fixture
def inside(released, reports, picture) -> str:
    return render(title="Digits", verdict=released, evidence=everything(reports), pictures=[picture], inside=True)


def outline(text: str) -> Outline:
    parsed = Outline()
    parsed.feed(text)
    assert parsed.open == []
    return parsed


def test_the_verdict_is_one_sentence_at_the_top(inside: str, refused, reports):
    heading = re.search(r"<h1[^>]*>(.*?)</h1>", inside)
    assert heading
    assert heading[1].startswith("Released: the synthetic data and the classifier, because all 12 rules passed")
    page = render(title="Digits", verdict=refused, evidence=everything(reports), pictures=[], inside=True)
    assert (
        "Refused, because the rule &#34;attacks on the synthetic data barely beat guessing&#34; does not hold" in page
    )


def test_no_request_leaves_the_page(inside: str):
    assert all(address.startswith("data:image/png;base64,") for address in outline(inside).addresses)
    assert "url(" not in inside
    assert "@import" not in inside
    assert "<script" not in inside
    assert "default-src 'none'" in inside


def test_headings_descend_by_one_and_pictures_have_words(inside: str):
    page = outline(inside)
    assert page.headings[0] == 1
    assert page.headings.count(1) == 1
    assert all(later - earlier <= 1 for earlier, later in zip(page.headings, page.headings[1:], strict=False))
    assert page.alts == ["Does it leak? A curve."]


def test_outcomes_are_words_and_signs_never_colour_alone(refused, reports):
    page = render(title="Digits", verdict=refused, evidence=everything(reports), pictures=[], inside=True)
    assert page.count("</span> does not hold</span>") == 1
    assert page.count("</span> holds</span>") == len(refused["rules"]) - 1
    assert page.count("</span> as it must</span>") == len(reports["audit"].facts["controls"])


def test_markup_in_data_is_text(released, reports):
    released["rules"][0]["name"] = "<script>alert(1)</script>"
    page = render(title="<b>Digits</b>", verdict=released, evidence=everything(reports), pictures=[], inside=True)
    assert "<script>" not in page
    assert "<b>Digits" not in page
    assert "&lt;script&gt;" in page


def test_the_page_in_the_bundle_shows_published_numbers_alone(released, reports):
    verdict = publish_verdict(released, decimals=3)
    evidence = publish(reports, min_records=20, decimals=3)
    page = render(title="Digits", verdict=verdict, evidence=evidence, pictures=[], inside=False)
    assert "discriminator_gap" not in page
    assert "coverage_min" not in page
    assert "Holds no real record" in page
    assert "discriminator_gap" in render(
        title="Digits", verdict=released, evidence=everything(reports), pictures=[], inside=True
    )


def test_a_run_without_attacks_or_controls_says_so(released, reports):
    bare = {key: one for key, one in reports.items() if key != "audit"}
    page = render(title="Digits", verdict=released, evidence=everything(bare), pictures=[], inside=True)
    assert "Nothing was attacked." in page
    assert "names no control" in page
