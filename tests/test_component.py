import kgan


def test_a_component_shows_its_config():
    assert repr(kgan.penalties.R1(2.0, every=4)) == "R1(weight=2.0, every=4, name='r1')"
    assert repr(kgan.dynamics.get("history_pool:7")) == "HistoryPool(size=7, name='history_pool')"
