"""The domains, by name: importing this package registers the shipped ones."""

from __future__ import annotations

import difflib

from arena.domains import arithmetic as _arithmetic  # noqa: F401  (importing registers)
from arena.domains import craft as _craft  # noqa: F401
from arena.domains import games as _games  # noqa: F401
from arena.domains import program as _program  # noqa: F401
from arena.domains import reading as _reading  # noqa: F401
from arena.domains import reasoning_gym as _reasoning_gym  # noqa: F401
from arena.domains import transforms as _transforms  # noqa: F401
from arena.domains.base import Domain, domain_class, registered
from arena.domains.check import check_domain
from arena.domains.games import Games
from arena.domains.gym_env import GymDomain
from arena.domains.reading import Reading
from arena.domains.reasoning_gym import ReasoningGym


def make_domain(name: str, *, folder: str | None = None) -> Domain:
    """The domain called ``name``; ``gym:ID`` makes one of any registered text Gymnasium environment,
    ``games:NAME`` one of a single game, ``reasoning_gym:NAME`` one of a single generator of that library.
    ``folder`` is what ``reading`` asks about, see ``arena.domains.reading``.

    Raises ValueError where there is no such domain, with the nearest name that there is.
    """
    kind, colon, part = name.partition(":")
    if colon and kind == "gym":
        return GymDomain(part)
    if colon and kind == Games.name:
        return Games(part)
    if colon and kind == ReasoningGym.name:
        return ReasoningGym(part)
    if name == Reading.name:
        return Reading(folder)
    if name not in registered():
        nearest = difflib.get_close_matches(name, registered(), n=1, cutoff=0.0)
        raise ValueError(
            f"expected a domain, one of {', '.join(registered())}, games:NAME, gym:ID or "
            f"reasoning_gym:NAME, got "
            f"{name!r}; write {nearest[0]!r} instead"
        )
    return domain_class(name)()


__all__ = ["Domain", "GymDomain", "check_domain", "make_domain", "registered"]
