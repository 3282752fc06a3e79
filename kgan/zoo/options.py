"""The flags that all zoo programs share, by subject."""

import textwrap

from absl import flags

# What a resumed run may be given anew: where things lie and what is written besides.
FREE_ON_RESUME = ("data_dir", "export", "sample_every_epochs", "checkpoint_every_epochs")
# What is not a setting of the run but of this call.
CALL_ONLY = ("out", "resume", "overwrite", "dry_run")


def _define(values):
    """Defines the flags and returns their names by subject, in the order of `--help`."""
    at = {"flag_values": values}
    flags.DEFINE_string(
        "dataset",
        "digits",
        "Images to learn: digits (comes with the package), a TensorFlow Datasets name such as "
        "mnist, or a folder of images or of class folders.",
        **at,
    )
    flags.DEFINE_string(
        "data_dir", None, "Where TensorFlow Datasets keeps its data; also TFDS_DATA_DIR.", **at
    )
    flags.DEFINE_string(
        "image_size", None, "64, or HEIGHTxWIDTH such as 32x48, in pixels; else the recipe's.", **at
    )
    flags.DEFINE_integer("channels", None, "1 (grey) to 4 (RGBA); else the data's own.", **at)
    flags.DEFINE_bool("horizontal_flip", False, "Mirror half of the images.", **at)
    flags.DEFINE_string(
        "data_augment",
        None,
        "Other random changes of the images, with commas between them: random_crop, rand_augment, "
        "vertical_flip. The generator learns to draw what they do.",
        **at,
    )
    flags.DEFINE_bool("conditional", False, "Train a conditional GAN on the data's labels.", **at)

    positive = {"lower_bound": 1, **at}
    flags.DEFINE_integer("batch_size", None, "Images an update; else the recipe's.", **positive)
    flags.DEFINE_integer("epochs", None, "Passes over the data; else the recipe's.", **positive)
    flags.DEFINE_integer("steps", None, "Generator updates, instead of epochs.", **positive)
    flags.DEFINE_float("generator_learning_rate", None, "Else the recipe's.", **at)
    flags.DEFINE_float("discriminator_learning_rate", None, "Else the recipe's.", **at)
    flags.DEFINE_integer("seed", 0, "Of weights, latents and the order of the data.", **at)

    several = "; may be given several times, and none takes away the recipe's."
    flags.DEFINE_string(
        "loss", None, "Such as hinge or least_squares:a=-1,b=1,c=0; else the recipe's.", **at
    )
    flags.DEFINE_multi_string("auxiliary_loss", None, "Such as feature_matching:10" + several, **at)
    flags.DEFINE_multi_string("penalty", None, "Such as r1:10 or r1:10,every=16" + several, **at)
    flags.DEFINE_multi_string(
        "augment",
        None,
        "What the discriminator sees reals and fakes "
        "through, such as diff_augment or ada" + several,
        **at,
    )
    flags.DEFINE_multi_string("dynamics", None, "Such as top_k or history_pool:500" + several, **at)
    flags.DEFINE_enum("updates", None, ["simultaneous", "alternating"], "Else the recipe's.", **at)
    flags.DEFINE_integer(
        "discriminator_steps",
        None,
        "Discriminator updates a generator update; else the recipe's.",
        **positive,
    )

    flags.DEFINE_enum(
        "mixed_precision", "none", ["none", "bfloat16", "float16"], "Type of computation.", **at
    )
    flags.DEFINE_enum(
        "jit_compile", "auto", ["auto", "true", "false"], "XLA; auto is on a GPU or TPU only.", **at
    )
    flags.DEFINE_enum(
        "strategy", "none", ["none", "mirrored"], "mirrored uses all GPUs of this machine.", **at
    )
    flags.DEFINE_bool(
        "deterministic", True, "The same seed makes the same weights; can be slower on GPU.", **at
    )

    flags.DEFINE_string("out", None, "Folder of the run; else runs/MODULE_DATASET.", **at)
    flags.DEFINE_bool("resume", False, "Go on from the last checkpoint in --out.", **at)
    flags.DEFINE_bool("overwrite", False, "Delete the run that --out holds.", **at)
    flags.DEFINE_bool("dry_run", False, "Show the configuration and stop.", **at)
    flags.DEFINE_bool("export", True, "Write a SavedModel at the end.", **at)
    flags.DEFINE_integer("sample_every_epochs", 1, "How often to draw.", **positive)
    flags.DEFINE_integer("checkpoint_every_epochs", 1, "How often to save.", **positive)
    return {
        "Data": (
            "dataset data_dir image_size channels horizontal_flip data_augment conditional"
        ).split(),
        "Training": (
            "batch_size epochs steps generator_learning_rate discriminator_learning_rate seed"
        ).split(),
        "Game": (
            "loss auxiliary_loss penalty augment dynamics updates discriminator_steps"
        ).split(),
        "Machine": "mixed_precision jit_compile strategy deterministic".split(),
        "Run": (
            "out resume overwrite dry_run export sample_every_epochs checkpoint_every_epochs"
        ).split(),
    }


VALUES = flags.FlagValues()
GROUPS = _define(VALUES)


def parse(argv):
    """Reads a command line.

    Args:
        argv: list of str, without the program's name.

    Returns:
        `(given, values)`: dicts of the flags that the command line gives, and of all of them.

    Raises:
        ValueError: if a flag is unknown, a value is not one, or an argument is left over.
    """
    VALUES.unparse_flags()
    for name in VALUES:
        VALUES[name].unparse()
    try:
        rest = VALUES(["program", *argv])[1:]
    except flags.Error as error:
        raise ValueError(f"{error}. See --help.") from None
    if rest:
        raise ValueError(f"Flags begin with --. Received: {rest[0]!r}. See --help.")
    names = [name for group in GROUPS.values() for name in group]
    values = {name: VALUES[name].value for name in names}
    return {name: values[name] for name in names if VALUES[name].present}, values


def help_text():
    """Returns what `--help` shows of the shared flags: a line or two for each, by subject."""
    lines = []
    for title, names in GROUPS.items():
        lines += ["", f"{title}:"]
        for name in names:
            flag = VALUES[name]
            choices = getattr(flag.parser, "enum_values", None)
            kind = "|".join(choices) if choices else flag.flag_type().split()[-1].upper()
            usage = f"--[no]{name}" if flag.boolean else f"--{name}={kind}"
            shown = str(flag.default).lower() if flag.boolean else flag.default
            default = "" if flag.default is None else f" Default: {shown}."
            lines.append(f"  {usage}")
            lines += textwrap.wrap(
                flag.help + default, 92, initial_indent=" " * 6, subsequent_indent=" " * 6
            )
    return "\n".join(lines)
