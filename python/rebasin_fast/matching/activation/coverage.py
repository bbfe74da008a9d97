"""Permutations whose units have similarities at all: they are read, on enough samples, and change."""

from __future__ import annotations

from collections.abc import Mapping

from rebasin_fast.errors import DataError, SpecError
from rebasin_fast.matching.activation.similarities import Moments, Similarity
from rebasin_fast.specs.spec import PermutationSpec


def check_samples(moments: Moments, similarity: Similarity) -> None:
    """DataError where the similarity of units is undefined: no samples, or for a correlation one."""
    least = 2 if similarity == "correlation" else 1
    for tap, each in moments.items():
        found = min(one.count for one in each)
        if found < least:
            raise DataError(
                f"the batches give {found} samples at module {tap.module!r}, and {similarity} needs {least} or more: "
                "give more inputs"
            )


def without_change(spec: PermutationSpec, moments: Moments, *, strict: bool) -> dict[str, str]:
    """The parameters that stay in place because no unit of a permutation changes, so that none correlates."""
    changing: dict[str, bool] = {}
    modules: dict[str, str] = {}
    for tap, each in moments.items():
        for family, moment in zip(tap.families, each, strict=True):
            name = family.chain[-1]
            modules.setdefault(name, tap.module)
            changing[name] = changing.get(name, False) or moment.changes()
    constant = [name for name, changes in changing.items() if not changes]
    if constant and strict:
        raise DataError(
            f"the units of permutation {constant[0]!r} are constant on these batches in A or in B (at module "
            f"{modules[constant[0]]!r}; {len(constant)} such permutations): their correlations are undefined. Give "
            'inputs that differ, similarity="inner_product", or strict=False, which leaves them in place'
        )
    return {
        parameter: f"permutation {name!r} has constant activations"
        for name in constant
        for parameter, _ in spec.perm_to_axes[name]
    }


def without_tap(
    spec: PermutationSpec, moments: Moments, sizes: Mapping[str, int], *, strict: bool
) -> dict[str, str]:
    """The parameters that stay in place because a permutation of theirs has no tap."""
    covered = {name for tap in moments for family in tap.families for name in family.chain}
    missing = [name for name in sizes if name not in covered]
    if missing and strict:
        raise SpecError(
            f"no layer that ran reads the units of permutation {missing[0]!r} ({len(missing)} such permutations). Name "
            f"modules whose outputs they are with taps={{{missing[0]!r}: ...}}, or leave it in place with strict=False"
        )
    return {
        parameter: f"permutation {name!r} has no tap"
        for name in missing
        for parameter, _ in spec.perm_to_axes[name]
    }
