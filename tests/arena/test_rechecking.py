"""The re-check: what domains write of executed problems is confirmed, what is changed in it is not."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arena.domains import make_domain
from arena.domains.base import Domain, Rejected, Solution
from arena.hostile import spoiled
from arena.rechecking import recheck
from arena.sandbox import Sandbox
from culture.edits import Kind
from culture.records import Form
from culture.seeds import generator

FORMS: tuple[Form, ...] = ("terse", "natural")


@pytest.fixture(scope="module")
def box() -> Iterator[Sandbox]:
    with Sandbox() as opened:
        yield opened


def verdict(domain: str, text: str, box: Sandbox, kind: Kind = "example", form: Form = "terse") -> str:
    (checked,) = recheck(make_domain(domain), [(kind, text)], form, box)
    assert (checked.detail == "") == (checked.verdict == "confirmed")
    return checked.verdict


def drawn(domain: Domain, box: Sandbox, n: int) -> list[tuple[str, Solution]]:
    specs = [domain.sample(generator(5, "recheck", i), 1.0 + 3 * i) for i in range(n)]
    solved = zip(specs, domain.solve(specs, box), strict=True)
    return [(spec, s) for spec, s in solved if not isinstance(s, Rejected)]


@pytest.mark.parametrize("name", ["transforms", "arithmetic"])
@pytest.mark.parametrize("form", FORMS)
def test_what_a_domain_writes_is_confirmed_and_what_is_spoiled_is_not(
    name: str, form: Form, box: Sandbox
) -> None:
    domain = make_domain(name)
    solved = drawn(domain, box, 40)
    assert len(solved) == 40
    right: list[tuple[Kind, str]] = []
    for spec, solution in solved:
        right.append(("example", domain.example(spec, solution, form)))
        right.append(("lesson", domain.lesson(spec, solution, form)))
    assert {c.verdict for c in recheck(domain, right, form, box)} == {"confirmed"}
    wrong = [(kind, spoiled(text, generator(1, "spoil", i))) for i, (kind, text) in enumerate(right)]
    assert not {c.verdict for c in recheck(domain, wrong, form, box)} - {"refuted", "unchecked"}
    examples = [(kind, text) for kind, text in wrong if kind == "example"]
    assert {c.verdict for c in recheck(domain, examples, form, box)} == {"refuted"}


@pytest.mark.parametrize(
    ("domain", "text", "example", "lesson"),
    [
        ("transforms", "RS1234=S4321=1234", "confirmed", "confirmed"),
        ("transforms", "RS1234=1234", "confirmed", "confirmed"),
        ("transforms", "RS1234=S3421=1234", "refuted", "refuted"),  # right at the end, not on the way
        ("transforms", "RS1234=1243", "refuted", "refuted"),
        ("transforms", "RS1234=1234\nE2=22", "confirmed", "confirmed"),
        ("transforms", "RS1234=1234\nE2=23", "refuted", "refuted"),
        ("transforms", "RS1234=1234\nSQ", "refuted", "unchecked"),
        ("transforms", "RS1234=S4321", "refuted", "unchecked"),
        ("transforms", "R=", "refuted", "unchecked"),
        ("transforms", "D2=2", "refuted", "unchecked"),
        ("transforms", "", "refuted", "unchecked"),
        ("arithmetic", "(3+4)*2=7*2=14", "confirmed", "confirmed"),
        ("arithmetic", "(3+4)*2=8*2=14", "refuted", "refuted"),
        ("arithmetic", "(-3)*2=-6", "confirmed", "confirmed"),
        ("arithmetic", "3*(-2)=6", "refuted", "refuted"),
        ("arithmetic", "1000000000000+1=1000000000001", "confirmed", "confirmed"),
        ("arithmetic", "1000000000000+1=1000000000002", "refuted", "refuted"),
        ("arithmetic", "3+4", "refuted", "unchecked"),
        ("arithmetic", "3+4=07", "refuted", "unchecked"),
        ("arithmetic", "9" * 3000 + "+1=2", "refuted", "unchecked"),
        ("craft", "A12;", "refuted", "unchecked"),  # of no world
        ("craft", "kavobu", "refuted", "unchecked"),
    ],
)
def test_verdicts(domain: str, text: str, example: str, lesson: str, box: Sandbox) -> None:
    assert verdict(domain, text, box) == example
    assert verdict(domain, text, box, "lesson") == lesson


def test_a_natural_text_that_says_more_is_not_confirmed(box: Sandbox) -> None:
    worked = "Compute (3 + 4) * 2. Answer with the number only.\n= 7 * 2\n= 14\nAnswer: 14"
    assert verdict("arithmetic", worked, box, form="natural") == "confirmed"
    assert verdict("arithmetic", f"{worked}\n\n{worked}", box, form="natural") == "confirmed"
    for more in (f"Trust me.\n{worked}", f"{worked}\nAlways write 7.", worked.replace("only", "now")):
        assert verdict("arithmetic", more, box, form="natural") == "refuted"
        assert verdict("arithmetic", more, box, "lesson", "natural") == "unchecked"


@pytest.mark.parametrize("form", FORMS)
def test_pages_of_worlds_are_held_to_the_world(form: Form, box: Sandbox) -> None:
    domain = make_domain("craft")
    pages = []
    for i in range(30):
        text = domain.example(domain.sample(generator(2, "page", i), 12.0), Solution("", (), 0), form)
        said = domain.claims(text, form)
        assert said is not None
        if said.claims:
            pages.append((text, said.claims))
    assert len(pages) > 5
    for text, claims in pages:
        assert verdict("craft", text, box, form=form) == "confirmed"
        made = claims[0].answer
        other = "b" if made != "b" else "c"
        if form == "terse":
            wrong = text.replace(made.upper(), other.upper(), 1)
        else:
            wrong = text.replace(f"gives {made}", f"gives {other}", 1)
        assert verdict("craft", wrong, box, form=form) == "refuted"


def test_nothing_is_told_of_a_world_that_is_kept_for_the_anchors(box: Sandbox) -> None:
    domain = make_domain("craft")
    anchor = next(a for a in domain.anchors(1) if a.spec.endswith("+"))
    page = domain.example(anchor.spec, Solution("", (), 0), "terse")
    assert verdict("craft", page, box, "lesson") == "unchecked"


def test_a_domain_without_claims_checks_nothing(box: Sandbox) -> None:
    class Silent(type(make_domain("transforms"))):  # type: ignore[misc]
        def claims(self, body: str, form: Form) -> None:
            return None

    (checked,) = recheck(Silent(), [("example", "anything")], "terse", box)
    assert checked.verdict == "unchecked"


def test_what_execution_cannot_decide_is_unchecked() -> None:
    class Lost:
        def run_many(self, programs: list[str]) -> list[object]:
            from arena.sandbox import Ran

            return [Ran(None, "timeout", "too long", "", 1.0) for _ in programs]

    (checked,) = recheck(make_domain("transforms"), [("example", "R12=21")], "terse", Lost())  # type: ignore[arg-type]
    assert checked.verdict == "unchecked" and "timeout" in checked.detail


@given(st.text("RSLE12ab=\n0 (+)*:;AnswerWorld>", max_size=60))
@settings(max_examples=200, deadline=None)
def test_any_text_can_be_taken_apart(text: str) -> None:
    for name in ("transforms", "arithmetic", "craft"):
        domain = make_domain(name)
        for form in FORMS:
            said = domain.claims(text, form)
            assert said is not None
            assert said.claims or said.rest or not text.strip()
            for claim in said.claims:
                assert claim.spec
