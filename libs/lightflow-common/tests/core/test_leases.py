from lightflow.core.leases import LeaseWatch


def watch():
    return LeaseWatch(timeout=30, gap=15)


def test_a_lease_is_lost_when_its_counter_stood_still_for_the_whole_timeout():
    leases = watch()
    found = [leases.observe({"worker": 7}, now) for now in (0, 10, 20, 29, 30)]
    assert found == [frozenset()] * 4 + [frozenset({"worker"})]


def test_a_counter_that_moves_keeps_its_lease():
    leases = watch()
    assert not any(leases.observe({"worker": now}, now) for now in range(0, 300, 10))


def test_a_counter_that_moves_late_begins_a_new_timeout():
    leases = watch()
    for now in (0, 10, 20):
        leases.observe({"worker": 1}, now)
    assert not any(leases.observe({"worker": 2}, now) for now in (29, 39, 49, 58))
    assert leases.observe({"worker": 2}, 59) == {"worker"}


def test_a_counter_that_went_back_has_moved():
    leases = watch()
    for now in (0, 10, 20):
        leases.observe({"worker": 5}, now)
    assert not leases.observe({"worker": 1}, 30)


def test_a_gap_between_observations_proves_nothing():
    leases = watch()
    for now in (0, 10):
        leases.observe({"worker": 1}, now)
    assert not leases.observe({"worker": 1}, 1000), "the observer itself may have been paused"
    assert not leases.observe({"worker": 1}, 1015)
    assert leases.observe({"worker": 1}, 1030) == {"worker"}


def test_a_failed_observation_interrupts():
    leases = watch()
    for now in (0, 10, 20):
        leases.observe({"worker": 1}, now)
    leases.interrupt()
    assert not any(leases.observe({"worker": 1}, now) for now in (30, 40, 50))
    assert leases.observe({"worker": 1}, 60) == {"worker"}


def test_each_worker_is_judged_by_its_own_counter():
    leases = watch()
    for now in (0, 10, 20):
        leases.observe({"dead": 3, "living": now}, now)
    assert leases.observe({"dead": 3, "living": 30}, 30) == {"dead"}


def test_a_worker_that_left_the_list_and_came_back_begins_anew():
    leases = watch()
    leases.observe({"worker": 1}, 0)
    leases.observe({"worker": 1}, 10)
    leases.observe({}, 20)
    assert not leases.observe({"worker": 1}, 30)


def test_the_observers_clock_may_have_any_origin():
    for origin in (0.0, 1e9, -500.0):
        leases = watch()
        found = [leases.observe({"worker": 1}, origin + later) for later in (0, 15, 30)]
        assert found == [frozenset(), frozenset(), frozenset({"worker"})]


def test_silence_is_how_long_a_counter_is_known_to_stand_still():
    leases = watch()
    assert leases.silence("worker", 5) == 0.0
    leases.observe({"worker": 1}, 10)
    leases.observe({"worker": 1}, 20)
    assert leases.silence("worker", 22) == 12
    leases.observe({"worker": 2}, 25)
    assert leases.silence("worker", 26) == 1
