"""When which fault strikes: data, made from a seed by a pure function."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random


@dataclass(frozen=True)
class Strike:
    """A fault, `at` seconds after the beginning; its `seed` decides whom it strikes."""

    at: float
    lane: str
    fault: str
    seed: int


def schedule(
    seed: int, duration: float, lanes: Mapping[str, Sequence[str]], *, least: Callable[[str], int]
) -> list[Strike]:
    """The strikes of all lanes, in order: in each lane every fault so often, in random order, spread over the time."""
    strikes: list[Strike] = []
    for lane, faults in sorted(lanes.items()):
        random = Random(f"{seed} {lane}")
        chosen = [fault for fault in sorted(faults) for _ in range(least(fault))]
        random.shuffle(chosen)
        step = duration / max(1, len(chosen))
        for number, fault in enumerate(chosen):
            at = step * (number + random.random() * 0.5)
            strikes.append(Strike(at, lane, fault, random.randrange(1 << 30)))
    return sorted(strikes, key=lambda strike: strike.at)
