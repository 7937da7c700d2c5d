"""Which runs make a ladder: rungs, teachers, and the students of each teacher."""

from collections.abc import Container
from pathlib import Path
from typing import NamedTuple

from msgspec import Struct, field, structs

from errors import InputError

LADDER = ("student", "spatial", "naive", "shared-trunk", "two-in-one")
TEACHER = "teacher"


class BlockPlan(NamedTuple):
    """A teacher and all its students: every rung with every seed."""

    teacher_seed: int
    methods: list[str]
    seeds: list[int]

    @property
    def names(self) -> list[str]:
        """Names of the runs, the teacher first."""
        students = [run_name(method, seed) for seed in self.seeds for method in self.methods]
        return [run_name(TEACHER, self.teacher_seed), *students]


class Experiment(Struct, frozen=True, forbid_unknown_fields=True):
    """The runs of a ladder.

    Attributes:
        methods: The rungs: names of configs/methods, or config files like these.
        seeds: Seeds of the students. With `teacher_seeds` they are 0 to n - 1 and number the
            students of each teacher: student s of teacher t has the seed n t + s.
        teacher_seeds: Seeds of the teachers. None is one teacher, with the first of `seeds`.
        ablations: Further rungs, of the first teacher only.
    """

    methods: list[str] = field(default_factory=lambda: list(LADDER))
    seeds: list[int] = field(default_factory=lambda: [0])
    teacher_seeds: list[int] | None = None
    ablations: list[str] = []

    @property
    def rungs(self) -> list[str]:
        """All rungs, ablations included."""
        return [*self.methods, *self.ablations]

    def chosen(
        self,
        methods: list[str] | None,
        seeds: list[int] | None,
        teacher_seeds: list[int] | None,
    ) -> "Experiment":
        """Return the experiment with what a user has chosen; None keeps it as it is."""
        given = {"methods": methods, "seeds": seeds, "teacher_seeds": teacher_seeds}
        chosen = {name: list(dict.fromkeys(values)) for name, values in given.items() if values}
        return structs.replace(self, **chosen, **({"ablations": []} if methods else {}))

    def blocks(self, dropped: Container[int] = ()) -> list[BlockPlan]:
        """Return the blocks; a dropped teacher is replaced by another seed.

        Raises:
            InputError: The seeds of several teachers' students are not 0 to n - 1.
        """
        if self.teacher_seeds is None:
            return [BlockPlan(self.seeds[0], self.rungs, self.seeds)]
        count, step = len(self.seeds), max(self.teacher_seeds) + 1
        if sorted(self.seeds) != list(range(count)):
            msg = (
                f"seeds {' '.join(map(str, self.seeds))} with teacher_seeds: expected 0 to "
                f"{count - 1}: they number the students of each teacher"
            )
            raise InputError(msg)
        plans: list[BlockPlan] = []
        for teacher_seed in self.teacher_seeds:
            methods = [*self.methods, *([] if plans else self.ablations)]
            seed = teacher_seed
            while seed in dropped:
                seed += step
            plans.append(BlockPlan(seed, methods, [count * seed + s for s in self.seeds]))
        return plans


def run_name(method: str, seed: int) -> str:
    """Return the name of a run, and of its folder."""
    return f"{Path(method).stem}-seed{seed}"
