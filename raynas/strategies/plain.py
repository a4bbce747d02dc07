"""Spaces, trials and proposals as plain values, for whoever proposes from outside: a model, a person, a file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from random import Random
from typing import Any

from raynas.errors import ArchitectureError
from raynas.ops import Scalar
from raynas.records import Architecture, Domain, Integer, Options, Proposal, Real, Space, Trial
from raynas.spaces.decide import flat, replay, sample

SAMPLES = 100
"""Random architectures from which it is told what a space asks."""

LONGEST_QUOTE = 500
"""Characters of a text that an error quotes."""


class Questions:
    """What a space asks, as far as random architectures are asked it.

    Attributes:
        domains: address -> what may be answered. Where that depends on other answers, all options that were met, or the
            widest range.
        always: addresses that every architecture is asked.
    """

    def __init__(self, space: Space) -> None:
        rng = Random(0)
        self.space = space
        self.example = sample(space, rng)
        self.domains: dict[str, Domain] = {}
        self.always = set(self.example.questions)
        for _ in range(SAMPLES):
            asked = sample(space, rng).questions
            self.always &= set(asked)
            for address, domain in asked.items():
                self.domains[address] = _joined(self.domains.get(address, domain), domain)

    def told(self) -> dict[str, Any]:
        """A JSON object: name of the space, its questions, the answers of one architecture."""
        questions = {
            address: {**_told(domain), "always": address in self.always} for address, domain in self.domains.items()
        }
        return {"name": self.space.name, "questions": questions, "example": dict(self.example.answers)}

    def read(self, told: Any) -> tuple[Architecture, Any]:
        """The architecture that somebody told, and the parent that was named with it.

        Args:
            told: answers (address -> answer, or dicts in dicts along the addresses), or an object that holds them as
                `answers`, perhaps beside a `parent`; or a text with such a JSON object in it; or an `Architecture`.

        Raises:
            ArchitectureError: it is none of these, or does not fit the space.
        """
        if isinstance(told, str):
            told = _parsed(told)
        if isinstance(told, Architecture):
            told = told.answers
        parent = None
        if isinstance(told, Mapping) and isinstance(told.get("answers"), Mapping):
            named = told.get("space", self.space.name)
            if named != self.space.name:
                raise ArchitectureError("space", named, f"the architecture must belong to space {self.space.name!r}")
            told, parent = told["answers"], told.get("parent")
        if not isinstance(told, Mapping):
            raise ArchitectureError("*", told, "a proposal must be an object, question -> answer")
        answers = {address: self._typed(address, value) for address, value in flat(told).items()}
        return replay(self.space, answers), parent

    def _typed(self, address: str, value: Scalar) -> Scalar:
        """JSON has one kind of numbers: 1 answers a question for a real number too."""
        return float(value) if type(value) is int and isinstance(self.domains.get(address), Real) else value


def history_of(proposal: Proposal, trial: Trial | None) -> dict[str, Any]:
    """What is known of one proposal; `trial` None: nothing came back yet."""
    told: dict[str, Any] = {"answers": dict(proposal.architecture.answers), "parent": proposal.parent}
    if trial is None:
        return {**told, "trial": None, "status": "running", "reason": "", "score": None, "epochs": 0.0, "metrics": {}}
    return {
        **told,
        "trial": trial.id,
        "status": trial.status,
        "reason": trial.reason,
        "score": trial.score,
        "epochs": trial.budget,
        "metrics": dict(trial.metrics),
    }


def _parsed(text: str) -> object:
    """The JSON object in a text; what stands around it is left out."""
    try:
        return json.loads(text[text.index("{") : text.rindex("}") + 1])
    except (ValueError, RecursionError) as error:
        told = text if len(text) <= LONGEST_QUOTE else f"{text[:LONGEST_QUOTE]}..."
        raise ArchitectureError("*", told, "a text must hold a JSON object, question -> answer") from error


def _told(domain: Domain) -> dict[str, Any]:
    if isinstance(domain, Options):
        return {"options": list(domain)}
    return {"real" if isinstance(domain, Real) else "integer": [domain.low, domain.high], "log": domain.log}


def _joined(one: Domain, other: Domain) -> Domain:
    if one == other:
        return one
    if isinstance(one, Options) and isinstance(other, Options):
        return Options((*one, *(option for option in other if option not in one)))
    if isinstance(one, Real) and isinstance(other, Real):
        return Real(min(one.low, other.low), max(one.high, other.high), one.log)
    if isinstance(one, Integer) and isinstance(other, Integer):
        return Integer(min(one.low, other.low), max(one.high, other.high), one.log)
    return other
