import math

import keras
import pytest

import kgan
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


@pytest.fixture
def boxes():
    """A registry of one class, which keeps what it was given."""
    registry = Registry("box")

    @registry.register
    class Box:
        def __init__(self, size, colours=(), depth=1):
            if size == "broken":
                raise TypeError("a mistake inside")
            self.given = size, colours, depth

    return registry


@pytest.mark.parametrize(
    ("text", "given"),
    [
        ("box:3", (3, (), 1)),
        ("box: 3 , depth = 2 ", (3, (), 2)),
        ("box:(3,)", ((3,), (), 1)),
        ("box:3,colours=['a','b'],depth=2", (3, ["a", "b"], 2)),
        ("box:3,colours={'a': (1, [2, 3]), 'b': 2},depth=4", (3, {"a": (1, [2, 3]), "b": 2}, 4)),
        ("box:red,depth=-inf", ("red", (), -math.inf)),
    ],
)
def test_parse_splits_at_commas_outside_brackets(boxes, text, given):
    assert boxes.parse(text).given == given


def test_parse_reads_nan(boxes):
    assert math.isnan(boxes.parse("box:nan").given[0])


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("box:3,dept=2", r".*'dept'. Did you mean 'depth'\?"),
        ("box:3,zebra=2", ".*'zebra'."),
        ("box", ".*missing a required argument: 'size'."),
        ("box:1,2,3,4", ".*too many positional arguments."),
        ("box:1,size=2", ".*multiple values for argument 'size'."),
    ],
)
def test_parse_says_what_a_class_takes(boxes, text, problem):
    message = rf"Box takes size, colours=\(\), depth=1: {problem} Received: '{text}'"
    with pytest.raises(ValueError, match=message):
        boxes.parse(text)


def test_a_mistake_inside_a_class_is_not_taken_for_a_wrong_argument(boxes):
    with pytest.raises(TypeError, match="^a mistake inside$"):
        boxes.parse("box:broken")


def test_specs_of_the_library_may_hold_lists():
    codes = kgan.losses.get_auxiliary("mutual_information:categorical=(3,),continuous=2")
    assert (tuple(codes.categorical), codes.continuous) == ((3,), 2)
    matching = kgan.losses.get_auxiliary("feature_matching:layers=['a','b']")
    assert matching.layers == ["a", "b"]


def test_the_config_of_another_family_is_refused():
    config = keras.saving.serialize_keras_object(kgan.losses.Hinge())
    with pytest.raises(TypeError, match="Each penalty must be.*Penalty or Constraint. Received: {"):
        kgan.penalties.get(config)
    config = keras.saving.serialize_keras_object(kgan.penalties.R1(3))
    assert kgan.penalties.get(config).weight == 3


@pytest.fixture
def animals():
    """A registry of two classes, of which one has a short name."""
    registry = Registry("animal")
    registry.register(type("FieldMouse", (), {"alias": "fm"}))
    registry.register(type("Owl", (), {"alias": None}))
    return registry


@pytest.mark.parametrize("name", ["fm", " FM ", "field_mouse", "FieldMouse", "fieldmouse"])
def test_aliases_are_found_beside_names(animals, name):
    assert type(animals.create(name)).__name__ == "FieldMouse"
    assert type(animals.parse(f"{name}:")).__name__ == "FieldMouse"


def test_aliases_are_no_names_but_known(animals):
    assert animals.names() == ["field_mouse", "owl"]
    with pytest.raises(ValueError, match="Known: 'field_mouse', 'fm', 'owl'. Received: 'none'"):
        animals.create("none")


def test_a_subclass_has_an_alias_of_its_own():
    registry = Registry("animal")
    base = registry.register(type("Cat", (), {"alias": "c"}))
    registry.register(type("Lion", (base,), {"alias": "l"}))
    assert [type(registry.create(x)).__name__ for x in "cl"] == ["Cat", "Lion"]
