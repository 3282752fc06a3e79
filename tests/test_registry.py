import pytest

from kgan.registry import Registry, snake_case, suggest


@pytest.mark.parametrize(
    ("name", "expected"),
    [("Minimax", "minimax"), ("NonSaturating", "non_saturating"), ("R1", "r1")],
)
def test_snake_case(name, expected):
    assert snake_case(name) == expected


def test_create_passes_arguments():
    shapes = Registry("shape")

    @shapes.register
    class RoundBox:
        def __init__(self, size, colour=None):
            self.size, self.colour = size, colour

    box = shapes.create("round_box", 3, colour="red")
    assert (type(box), box.size, box.colour) == (RoundBox, 3, "red")
    assert shapes.names() == ["round_box"]


def test_unknown_name_says_what_there_is():
    shapes = Registry("shape")
    shapes.register(type("RoundBox", (), {}))
    with pytest.raises(ValueError, match=r"Unknown shape. Did you mean 'round_box'\?.*'round_bx'"):
        shapes.create("round_bx")


def test_suggest_without_anything_near():
    assert suggest("zebra", ["hinge"]) == "Known: 'hinge'."
