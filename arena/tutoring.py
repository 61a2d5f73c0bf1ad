"""Policy versions of a run that a tutor can ask (``curricula.tutor``)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from arena.answering import Question, answers
from arena.cluster import open_cluster
from arena.faults import listed
from arena.pools import WorkFailed
from arena.run import read_config
from arena.run_files import CHECKPOINTS
from arena.run_names import Wrong
from culture import connect
from curricula.calibration import Item


@contextmanager
def pupil(folder: Path, policy_version: str, domain: str) -> Iterator[Callable[[Item], bool]]:
    """What answers the anchors of ``domain`` as a policy version of the run in ``folder`` does when it is
    evaluated: greedily and without notes, by an engine in this process.

    Yields a function from an item of the domain's scale to whether the answer was right, which raises
    WorkFailed where an answer was lost and KeyError for an item that is no anchor. Raises Wrong where the
    version's weights are not there, or the run does not have the domain.
    """
    config = read_config(folder)
    known = [*config.domains, *config.evaluation.transfer]
    if domain not in known:
        raise Wrong(f"expected a domain of the run ({listed(known)}), got {domain!r}; write one of these")
    served = config.policies.get(policy_version.partition("@")[0])
    if served is None or (served.served is None and not (folder / CHECKPOINTS / policy_version).exists()):
        raise Wrong(
            f"expected a policy version whose weights are in {folder / CHECKPOINTS} "
            f"({listed(_kept(folder))}), got {policy_version!r}; of older ones every so-manieth is kept "
            "(learner.keep_every)"
        )
    asked = config.domain(domain)
    anchors = {a.anchor_id: a for a in asked.anchors(config.evaluation.per_cell)}
    local = config.model_copy(update={"cluster": config.cluster.model_copy(update={"local": True})})
    cluster = open_cluster(folder.absolute(), local)

    def answer(item: Item) -> bool:
        anchor = anchors[item.item_id]
        question = Question(anchor.anchor_id, anchor.spec, anchor.answer_key)
        (given,) = answers(cluster, policy_version, asked, [question], config.engine)
        if given.correct is None:
            raise WorkFailed(f"the answer of {policy_version} to {item.item_id} was lost")
        return given.correct

    try:
        yield answer
    finally:
        cluster.close()


def latest(folder: Path) -> str:
    """The solver version that was evaluated last. Raises Wrong where none was."""
    with connect(folder) as log:
        row = log.execute("SELECT policy_version FROM evaluations ORDER BY rowid DESC LIMIT 1").fetchone()
    if row is None:
        raise Wrong(f"expected a run that was evaluated, got none in {folder}; let it play a round")
    return str(row[0])


def _kept(folder: Path) -> list[str]:
    """Versions whose weights are there."""
    return sorted(p.name for p in (folder / CHECKPOINTS).glob("*@*"))
