"""Problems as of a round: lists, families, attempts with every turn, and what each attempt read."""

from __future__ import annotations

from dataclasses import dataclass

from analysis.browser.address import Address
from analysis.browser.log import Log, Row

PAGE = 30
"""Problems on one page of a list."""
PAGES = 1000
ATTEMPTS = 50
"""Attempts on one page of a problem."""
ANCESTORS = 50
"""Ancestors that are shown, the nearest."""
FAMILY = 100
"""Descendants that are shown, the nearest."""
TURNS = 100
ORDERS = {
    "latest": "round DESC, problem_id",
    "hardest": "difficulty DESC NULLS LAST, problem_id",
    "easiest": "difficulty NULLS LAST, problem_id",
}


@dataclass(frozen=True, slots=True)
class Found:
    """A page of a list of problems."""

    total: int
    problems: list[Row]
    first: int
    domains: list[str]


def listed(log: Log, round: int, address: Address) -> Found:
    """Problems proposed by the end of a round, filtered, with how their attempts in their round went."""
    where, params = ["round <= $round"], dict[str, object](round=round)
    for name in ("domain", "status"):
        if address.get(name):
            params[name] = address.get(name)
            where.append(f"{name} = ${name}")
    if address.get("of").isdecimal():
        params["of"] = address.number("of", 10**8)
        where.append("round = $of")
    if address.get("q"):
        params["q"] = address.get("q")
        where.append("(contains(coalesce(spec, text), $q) OR starts_with(problem_id, $q))")
    chosen = " AND ".join(where)
    order = ORDERS.get(address.get("order"), ORDERS["latest"])
    first = PAGE * address.number("page", PAGES)
    count = log.row(f"SELECT count(*) AS n FROM problems WHERE {chosen}", params)
    rows = log.rows(
        f"""
        WITH page AS MATERIALIZED (
            SELECT problem_id, round, domain, origin, proposer, left(coalesce(spec, text), 300) AS spec,
                difficulty, status, reason
            FROM problems WHERE {chosen} ORDER BY {order} LIMIT {PAGE} OFFSET {first}
        )
        SELECT page.*, coalesce(a.n, 0) AS attempts, a.correct
        FROM page LEFT JOIN (
            SELECT problem_id, count(*) AS n, count(*) FILTER (correct) AS correct
            FROM attempts WHERE problem_id IN (SELECT problem_id FROM page) AND round <= $round
            GROUP BY problem_id
        ) a USING (problem_id) ORDER BY {order}
        """,
        params,
    )
    names = log.rows("SELECT DISTINCT domain FROM measures WHERE domain <> '' ORDER BY domain LIMIT 100")
    return Found(int(str((count or {"n": 0})["n"])), rows, first, [str(row["domain"]) for row in names])


@dataclass(frozen=True, slots=True)
class ProblemPage:
    """A problem, where it comes from, what came of it, and who tried it."""

    problem: Row
    ancestors: list[Row]
    """Its parent first."""
    descendants: list[Row]
    """With ``generation``, 1 for a child; a child after its parent."""
    arms: list[Row]
    attempts: list[Row]
    total: int
    first: int
    notes: list[Row]
    """Notes that cite it."""


def problem_page(log: Log, round: int, address: Address) -> ProblemPage | None:
    """The problem that ``id`` names or begins; None where there is none, or several."""
    found = log.rows(
        """
        SELECT problem_id, round, domain, request, origin, target_difficulty, parent_id, proposer,
            policy_version, left(prompt, 20000) AS prompt, left(text, 20000) AS text,
            left(spec, 20000) AS spec, left(answer_key, 20000) AS answer_key, worked[:50] AS worked,
            features, difficulty, status, reason, failure_source, payment
        FROM problems WHERE starts_with(problem_id, $id) AND round <= $round LIMIT 2
        """,
        {"id": address.get("id"), "round": round},
    )
    if len(found) != 1 or not address.get("id"):
        return None
    problem = found[0]
    here = {"id": problem["problem_id"], "round": round}
    since = {**here, "posed": problem["round"]}
    first = ATTEMPTS * address.number("page", 1000)
    attempts = log.rows(
        f"""
        WITH page AS MATERIALIZED (
            SELECT attempt_id, round, solver, policy_version, arm, dose, replay, turns,
                left(answer, 120) AS answer, verdict, correct, reward
            FROM attempts WHERE problem_id = $id AND round BETWEEN $posed AND $round
            ORDER BY round, attempt_id LIMIT {ATTEMPTS} OFFSET {first}
        )
        SELECT page.*, coalesce(r.n, 0) AS read FROM page LEFT JOIN (
            SELECT attempt_id, count(*) AS n FROM reads
            WHERE attempt_id IN (SELECT attempt_id FROM page) GROUP BY attempt_id
        ) r USING (attempt_id) ORDER BY round, attempt_id
        """,
        since,
    )
    arms = log.rows(
        "SELECT arm, count(*) AS attempts, count(*) FILTER (correct) AS correct FROM attempts "
        "WHERE problem_id = $id AND round BETWEEN $posed AND $round GROUP BY arm ORDER BY arm",
        since,
    )
    notes = log.rows(
        """
        SELECT DISTINCT n.note_id, n.kind, n.title, n.author, n.round
        FROM citations c JOIN revisions r USING (revision_id) JOIN notes n USING (note_id)
        WHERE c.target_kind = 'problem' AND c.target_id = $id AND r.round <= $round
        ORDER BY n.round, n.note_id LIMIT 50
        """,
        here,
    )
    total = sum(int(str(row["attempts"])) for row in arms)
    return ProblemPage(
        problem,
        _ancestors(log, here) if problem["parent_id"] else [],
        _descendants(log, here),
        arms,
        attempts,
        total,
        first,
        notes,
    )


def _ancestors(log: Log, here: dict[str, object]) -> list[Row]:
    return log.rows(
        f"""
        SELECT generation, problem_id, round, left(spec, 160) AS spec, difficulty FROM problem_lineage($id)
        WHERE generation < 0 AND round <= $round ORDER BY generation DESC LIMIT {ANCESTORS}
        """,
        here,
    )


def _descendants(log: Log, here: dict[str, object]) -> list[Row]:
    """The nearest generations of what was made of it, in the order of a tree."""
    rows = log.rows(
        f"""
        SELECT generation, problem_id, parent_id, round, left(spec, 160) AS spec, difficulty, status,
            count(*) OVER () AS total
        FROM problem_descendants($id) WHERE generation > 0 AND round <= $round
        ORDER BY generation, round, problem_id LIMIT {FAMILY}
        """,
        here,
    )
    below: dict[object, list[Row]] = {}
    for row in rows:
        below.setdefault(row["parent_id"], []).append(row)
    ordered: list[Row] = []
    todo = list(reversed(below.get(here["id"], [])))
    while todo:
        row = todo.pop()
        ordered.append(row)
        todo += reversed(below.get(row["problem_id"], []))
    return ordered


@dataclass(frozen=True, slots=True)
class AttemptPage:
    """An attempt with all its turns and what it read."""

    attempt: Row
    turns: list[Row]
    """Prompt and completion of each but the last, which is the attempt's own."""
    reads: list[Row]


def attempt_page(log: Log, round: int, address: Address) -> AttemptPage | None:
    """The attempt of this id; None where there is none by then."""
    found = log.row(
        """
        SELECT attempt_id, round, problem_id, domain, solver, policy_version, library_version, arm, dose,
            form, replay, left(prompt, 20000) AS prompt, left(completion, 20000) AS completion, turns,
            left(answer, 20000) AS answer, verdict, correct, reward, prompt_tokens, failure_source, failure
        FROM attempts WHERE attempt_id = $id AND round <= $round
        """,
        {"id": address.get("id"), "round": round},
    )
    if found is None:
        return None
    here = {"id": found["attempt_id"], "round": found["round"]}
    turns = log.rows(
        f"""
        SELECT turn, left(prompt, 20000) AS prompt, left(completion, 20000) AS completion, lookup
        FROM actions WHERE attempt_id = $id AND round = $round ORDER BY turn LIMIT {TURNS}
        """,
        here,
    )
    reads = log.rows(
        """
        WITH seen AS MATERIALIZED (SELECT * FROM reads WHERE attempt_id = $id AND round = $round)
        SELECT seen.note_id, seen.revision_id, rank, explored, n.title, n.kind, n.author,
            left(r.body, 400) AS body
        FROM seen
        LEFT JOIN (SELECT * FROM notes WHERE note_id IN (SELECT note_id FROM seen)) n USING (note_id)
        LEFT JOIN (
            SELECT revision_id, body FROM revisions WHERE revision_id IN (SELECT revision_id FROM seen)
        ) r USING (revision_id) ORDER BY rank LIMIT 50
        """,
        here,
    )
    return AttemptPage(found, turns, reads)
