"""What holds in every log, whatever happened in the run."""

from __future__ import annotations

from pathlib import Path

import duckdb

from agents import checkpoints
from agents.learning.batches import read_parquet
from arena.domains import make_domain
from culture import connect

EMPTY = {
    "an attempt's problem exists and was admitted": """
        SELECT attempt_id FROM attempts a LEFT JOIN problems p USING (problem_id)
        WHERE p.status IS DISTINCT FROM 'admitted' OR p.round > a.round""",
    "an attempt is a replay where its problem is older": """
        SELECT attempt_id FROM attempts a JOIN problems p USING (problem_id)
        WHERE a.replay IS DISTINCT FROM (p.round < a.round)""",
    "attempt ids are unique": "SELECT attempt_id FROM attempts GROUP BY ALL HAVING count(*) > 1",
    "problem ids are unique": "SELECT problem_id FROM problems GROUP BY ALL HAVING count(*) > 1",
    "admitted specs are unique": """
        SELECT spec FROM problems WHERE status = 'admitted' GROUP BY domain, spec HAVING count(*) > 1""",
    "a mutation's parent exists": """
        SELECT c.problem_id FROM problems c LEFT JOIN problems p ON c.parent_id = p.problem_id
        WHERE c.parent_id IS NOT NULL AND (p.status IS DISTINCT FROM 'admitted' OR p.round >= c.round)""",
    "a training row's source exists": """
        SELECT r.source_id FROM batch_rows r
        WHERE r.source_id NOT IN (SELECT attempt_id FROM attempts UNION ALL SELECT problem_id FROM problems)
        OR (r.source_kind = 'attempt') <> (r.source_id IN (SELECT attempt_id FROM attempts))""",
    "a batch has its rows": """
        SELECT batch_id FROM batches b WHERE rows <> (SELECT count(*) FROM batch_rows r
        WHERE r.batch_id = b.batch_id)""",
    "a read's revision exists and is older, unless the library began with it": """
        SELECT r.revision_id FROM reads r LEFT JOIN revisions v USING (revision_id)
        WHERE r.note_id <> 'filler' AND (v.note_id IS DISTINCT FROM r.note_id
        OR (v.round >= r.round AND NOT (v.round = 0 AND v.author = 'import')))""",
    "a read's attempt exists, in its arm": """
        SELECT r.attempt_id FROM reads r LEFT JOIN attempts a USING (attempt_id)
        WHERE a.arm IS DISTINCT FROM r.arm OR a.round <> r.round OR r.arm = 'none'""",
    "nobody reads a note about the problem at hand": """
        SELECT r.attempt_id FROM reads r JOIN attempts a USING (attempt_id)
        JOIN citations c ON c.revision_id = r.revision_id AND c.target_id = a.problem_id""",
    "nobody reads what is held back": """
        SELECT r.attempt_id FROM reads r JOIN revisions v USING (revision_id)
        WHERE (v.evidence ->> '$.held') IS NOT NULL OR v.outcome IN ('archived', 'quarantined')""",
    "what was refuted is no head in sight": """
        SELECT l.note_id FROM library_at(1000000) l JOIN revisions v USING (revision_id)
        WHERE NOT l.archived AND (v.evidence ->> '$.recheck') = 'refuted'""",
    "a revision's note exists": """
        SELECT note_id FROM revisions WHERE note_id NOT IN (SELECT note_id FROM notes)""",
    "a citation's target exists": """
        SELECT target_id FROM citations WHERE target_id NOT IN (SELECT attempt_id FROM attempts
        UNION ALL SELECT problem_id FROM problems UNION ALL SELECT note_id FROM notes)""",
    "what is rejected has a reason": """
        SELECT problem_id FROM problems WHERE (status = 'rejected') <> (reason IS NOT NULL)""",
    "a failure has someone to whom it is attributed": """
        SELECT problem_id FROM problems WHERE failure_source IS NULL
        AND (reason LIKE 'invalid:%' OR reason LIKE 'error:%')
        UNION ALL SELECT attempt_id FROM attempts
        WHERE (verdict IN ('malformed', 'error')) <> (failure_source IS NOT NULL)
        OR (failure_source IS NOT NULL AND failure IS NULL)""",
    "correct is the verdict": "SELECT attempt_id FROM attempts WHERE correct <> (verdict = 'correct')",
    "a policy version comes of a batch": """
        SELECT policy_version FROM policies WHERE version > 0
        AND (batch_id NOT IN (SELECT batch_id FROM batches) OR parent IS NULL)""",
    "attempts use committed versions": """
        SELECT policy_version FROM attempts WHERE policy_version NOT IN (SELECT policy_version FROM policies
        WHERE accepted)""",
    "a round counts what it has": """
        SELECT round FROM rounds r
        WHERE attempts <> (SELECT count(*) FROM attempts a WHERE a.round = r.round)
        OR proposed <> (SELECT count(*) FROM problems p WHERE p.round = r.round)
        OR admitted <> (SELECT count(*) FROM problems p WHERE p.round = r.round AND status = 'admitted')
        OR correct <> (SELECT count(*) FROM attempts a WHERE a.round = r.round AND a.correct)""",
}


def check_log(folder: Path) -> None:
    """Hold a run's log and the files that it names to what must be true of them."""
    with connect(folder) as log:
        wrong = {name: found for name, sql in EMPTY.items() if (found := log.execute(sql).fetchall())}
        assert wrong == {}
        ((config,),) = log.execute("SELECT config FROM runs").fetchall()
        domains = log.execute("SELECT DISTINCT domain FROM problems").fetchall()
        for (name,) in domains:
            _held_out(log, name, [anchor.spec for anchor in make_domain(name).anchors(1)])
        for batch_id, path, rows in log.execute("SELECT batch_id, path, rows FROM batches").fetchall():
            stored = read_parquet(folder / path)
            assert len(stored) == rows
            assert {r.batch_id for r in stored} == {batch_id}
        latest = log.execute(
            "SELECT max_by(path, version), max_by(sha256, version), max_by(batch_id IS NULL, version) "
            "FROM policies WHERE accepted GROUP BY policy"
        ).fetchall()
    assert config
    for path, digest, untrained in latest:
        checkpoints.verify(folder / path, digest, first=untrained)
    assert not list(folder.rglob("*.partial"))


def _held_out(log: duckdb.DuckDBPyConnection, domain: str, specs: list[str]) -> None:
    """No anchor is a problem, trains anybody or is written about."""
    for sql in (
        "SELECT problem_id FROM problems WHERE domain = $d AND spec IN (FROM anchors) "
        "AND status = 'admitted'",
        "SELECT r.source_id FROM batch_rows r JOIN problems p ON r.source_id = p.problem_id "
        "WHERE p.domain = $d AND p.spec IN (FROM anchors)",
        "SELECT r.source_id FROM batch_rows r JOIN attempts a ON r.source_id = a.attempt_id "
        "JOIN problems p ON a.problem_id = p.problem_id WHERE p.domain = $d AND p.spec IN (FROM anchors)",
        "SELECT row FROM batch_rows r, anchors WHERE (completion = a OR ends_with(prompt, a || '=')) "
        "AND $d <> ''",
        "SELECT v.revision_id FROM revisions v JOIN notes n USING (note_id), anchors "
        "WHERE n.domain = $d AND (starts_with(v.body, a || '=') OR n.title = a || '=')",
    ):
        found = log.execute(f"WITH anchors AS (SELECT unnest($s) AS a) {sql}", {"d": domain, "s": specs})
        assert found.fetchall() == [], sql
