"""Which permutations stand within which, and which see each other."""

from __future__ import annotations

from rebasin_fast.matching.device.problem import ResidentProblem


class Graph:
    """Families (a permutation and all that stand within it), and what changes when one moves.

    Attributes
    ----------
    children : those that stand directly within each permutation
    family : each permutation and all within it
    neighbours : those whose best step may change when it moves; itself only if it stands on two axes of a tensor or
        shares a move with another
    tensors : those whose share of the objective changes, by number
    alone : those that share no move with another, nor stand within one
    chains : those within which only leaves stand, as dimensions within attention heads
    """

    def __init__(self, problem: ResidentProblem) -> None:
        names = problem.permutations
        self.children = {
            name: [p for p in names if problem.parents[p] and problem.parents[p][-1] == name]
            for name in names
        }
        self.family = {name: [name, *(p for p in names if name in problem.parents[p])] for name in names}
        own_neighbours: dict[str, set[str]] = {name: set() for name in names}
        own_tensors: dict[str, set[int]] = {name: set() for name in names}
        for number, tensor in enumerate(problem.tensors):
            for move in tensor.moves:
                seen = [
                    (other is move, other.permutations)
                    for other in tensor.moves
                    if other is move or other.axis != move.axis
                ]
                for p in move.permutations:
                    own_tensors[p].add(number)
                    own_neighbours[p] |= {q for same, qs in seen for q in qs if not (same and q == p)}
        self.neighbours = {p: set().union(*(own_neighbours[m] for m in self.family[p])) for p in names}
        self.tensors = {p: sorted(set().union(*(own_tensors[m] for m in self.family[p]))) for p in names}
        self._counted = {root: self._moves_of(problem, root) for root in names}
        shared = {
            p for t in problem.tensors for m in t.moves if len(m.permutations) > 1 for p in m.permutations
        }
        self.alone = {p for p in names if not problem.parents[p] and p not in shared}
        self.chains = {root for root in names if self._is_chain(problem, root)}

    def _moves_of(self, problem: ResidentProblem, root: str) -> dict[str, list[tuple[int, int]]]:
        """For each member of the family, (tensor, number of move): what counts for the innermost member there."""
        family = self.family[root]
        counted: dict[str, list[tuple[int, int]]] = {member: [] for member in family}
        for t, tensor in enumerate(problem.tensors):
            for m, move in enumerate(tensor.moves):
                members = [name for name in move.permutations if name in family]
                if members:
                    counted[members[-1]].append((t, m))
        return counted

    def _is_chain(self, problem: ResidentProblem, root: str) -> bool:
        """Whether only leaves stand within ``root``, each next to nothing else on its moves."""
        children = self.children[root]
        if problem.parents[root] or not children or len(self.family[root]) != 1 + len(children):
            return False
        return all(
            problem.tensors[t].moves[m].permutations == ((root,) if member == root else (root, member))
            for member, moves in self._counted[root].items()
            for t, m in moves
        )

    def moves_of(self, root: str, member: str) -> list[tuple[int, int]]:
        """(tensor, move) pairs whose entries count for ``member`` when ``root``'s family steps."""
        return self._counted[root][member]
