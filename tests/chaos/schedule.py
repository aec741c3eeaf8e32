"""When which fault strikes: data, made from a seed by a pure function."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random


@dataclass(frozen=True)
class Strike:
    """A fault, `at` seconds after the beginning; `must` is False for one that may be left out when there is no time."""

    at: float
    lane: str
    fault: str
    must: bool
    seed: int


def schedule(seed: int, duration: float, lanes: Mapping[str, Sequence[str]], *, each: int, pace: float) -> list[Strike]:
    """The strikes of all lanes, in order: in each lane every fault `each` times, in random order, then any of them.

    They are spread over the duration, at least one each `pace` seconds.
    """
    strikes: list[Strike] = []
    for lane, faults in sorted(lanes.items()):
        random = Random(f"{seed} {lane}")
        chosen = [fault for _ in range(each) for fault in random.sample(sorted(faults), len(faults))]
        must = len(chosen)
        chosen += random.choices(sorted(faults), k=max(0, int(duration / pace) - must)) if faults else []
        step = duration / max(1, len(chosen))
        for number, fault in enumerate(chosen):
            at = step * (number + random.random() * 0.5)
            strikes.append(Strike(at, lane, fault, number < must, random.randrange(1 << 30)))
    return sorted(strikes, key=lambda strike: strike.at)
