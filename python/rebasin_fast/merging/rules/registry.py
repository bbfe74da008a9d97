"""The rules by their names. A new rule is a :class:`MergeRule` and a line here."""

from __future__ import annotations

from rebasin_fast._untrusted import brief
from rebasin_fast.merging.rules.karcher import KARCHER
from rebasin_fast.merging.rules.kinds import MergeRule
from rebasin_fast.merging.rules.linear import LINEAR
from rebasin_fast.merging.rules.slerp import SLERP
from rebasin_fast.merging.rules.task_vectors import DARE_LINEAR, DARE_TIES, TASK_ARITHMETIC, TIES

RULES: dict[str, MergeRule] = {
    rule.name: rule for rule in (LINEAR, SLERP, TASK_ARITHMETIC, TIES, DARE_TIES, DARE_LINEAR, KARCHER)
}


def rule_named(name: object) -> MergeRule:
    """The rule of a name, with hyphens or underscores; ValueError with the known ones for any other."""
    found = RULES.get(name.replace("-", "_")) if isinstance(name, str) else None
    if found is None:
        raise ValueError(f"rule is {', '.join(map(repr, RULES))}; got {brief(name)}")
    return found
