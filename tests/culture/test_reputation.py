"""Reputations come of what was checked, and of nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from scipy import stats

from culture.reputation import Record, Reputation, reputations, sign
from tests.culture.histories import Story, in_memory
from tests.culture.test_trust import STEPS, Step, library, new, of, played


def test_the_mean_is_that_of_the_posterior() -> None:
    record = Record(confirmed=6, refuted=1, harmful=1)
    assert record.mean == pytest.approx(stats.beta(7, 3).mean())
    low, high = record.interval()
    assert stats.beta(7, 3).cdf(high) - stats.beta(7, 3).cdf(low) == pytest.approx(0.95)
    assert Record().mean == 0.5 and Record().texts == 0


def test_an_author_of_whom_nothing_is_known_is_neither_trusted_nor_distrusted() -> None:
    reputation = Reputation()
    assert reputation.factor("anna", 2.0) == 1.0
    reputation.take_in("anna", "confirmed")
    reputation.take_in("ben", "refuted")
    assert reputation.factor("anna", 1.0) == pytest.approx(4 / 3)
    assert reputation.factor("ben", 1.0) == pytest.approx(2 / 3)
    assert reputation.factor("ben", 0.0) == 1.0


def test_citations_reads_and_unchecked_texts_count_for_nothing() -> None:
    lib = library()
    first = lib.write(new("one", "unchecked")).revision
    for index in range(9):
        edit = new(f"note {index}", author="ben", index=index, citations=[("note", first.note_id)])
        assert sign(lib.write(edit).revision) is None
    lib.observe_reads({first.note_id: 99})
    assert lib.trust.reputation.of("anna") == lib.trust.reputation.of("ben") == Record()


def test_a_merge_does_not_count_its_branch_again() -> None:
    lib = library()
    name = lib.write(new("a\nb\nc", "confirmed")).revision.note_id
    late = of(lib, name, "a\nb\nC", "confirmed", author="carl", base_revision_id=lib.head(name).revision_id)
    lib.write(of(lib, name, "a\nb\nC", "confirmed", author="carl"))
    lib.write(late)
    assert lib.trust.reputation.of("carl").confirmed == 1


@given(STEPS)
@settings(max_examples=40, deadline=None)
def test_the_log_has_the_reputations_that_the_library_has(steps: list[Step]) -> None:
    lib, rows, _ = played(steps)
    story = Story(library=lib, rounds=[rows], then=[{"state": {}}])
    with in_memory(story) as log:
        told = reputations(log)
    assert list(told) == sorted(told)
    for author in ("anna", "ben", "carl"):
        assert told.get(author, Record()) == lib.trust.reputation.of(author)
