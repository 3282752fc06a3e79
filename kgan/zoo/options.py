"""The flags that all zoo programs share, by subject."""

import re
import textwrap

from absl import flags

# What a resumed run may be given anew: where things lie and what is written besides.
FREE_ON_RESUME = (
    "data_dir",
    "export",
    "sample_every_epochs",
    "checkpoint_every_epochs",
    "metrics",
    "features",
    "evaluate_every_epochs",
    "evaluation_samples",
    "collapse",
)
# What is not a setting of the run but of this call.
CALL_ONLY = ("out", "resume", "overwrite", "dry_run")


VALUES = flags.FlagValues()
_AT = {"flag_values": VALUES}
_POSITIVE = {"lower_bound": 1, **_AT}


def _define_data():
    flags.DEFINE_string(
        "dataset",
        "digits",
        "Images to learn: digits (comes with the package), a TensorFlow Datasets name such as "
        "mnist, stacked_mnist (three digits as RGB), or a folder of images or of class folders.",
        **_AT,
    )
    flags.DEFINE_string(
        "data_dir", None, "Where TensorFlow Datasets keeps its data; also TFDS_DATA_DIR.", **_AT
    )
    flags.DEFINE_string(
        "image_size",
        None,
        "64, or HEIGHTxWIDTH such as 32x48, in pixels; else the recipe's.",
        **_AT,
    )
    flags.DEFINE_integer("channels", None, "1 (grey) to 4 (RGBA); else the data's own.", **_AT)
    flags.DEFINE_bool("horizontal_flip", False, "Mirror half of the images.", **_AT)
    flags.DEFINE_string(
        "data_augment",
        None,
        "Other random changes of the images, with commas between them: random_crop, rand_augment, "
        "vertical_flip. The generator learns to draw what they do.",
        **_AT,
    )
    flags.DEFINE_bool(
        "conditional",
        None,
        "Train a conditional GAN on the data's labels; else as the paper needs.",
        **_AT,
    )
    flags.DEFINE_integer(
        "num_classes", None, "Classes of the labels, if not the data's own number.", **_POSITIVE
    )
    names = "dataset data_dir image_size channels horizontal_flip data_augment".split()
    return [*names, "conditional", "num_classes"]


def _define_training():
    flags.DEFINE_integer("batch_size", None, "Images an update; else the recipe's.", **_POSITIVE)
    flags.DEFINE_integer(
        "micro_batches",
        1,
        "Parts of a batch that are computed one after the other, in the memory of one.",
        **_POSITIVE,
    )
    flags.DEFINE_bool(
        "rematerialize",
        False,
        "Compute activations again for gradients instead of keeping them: less memory, more time.",
        **_AT,
    )
    flags.DEFINE_integer("epochs", None, "Passes over the data; else the recipe's.", **_POSITIVE)
    flags.DEFINE_integer("steps", None, "Generator updates, instead of epochs.", **_POSITIVE)
    flags.DEFINE_float("generator_learning_rate", None, "Else the recipe's.", **_AT)
    flags.DEFINE_float("discriminator_learning_rate", None, "Else the recipe's.", **_AT)
    flags.DEFINE_integer("seed", 0, "Of weights, latents and the order of the data.", **_AT)
    flags.DEFINE_multi_string(
        "set",
        None,
        "Replaces any setting of the recipe, such as --set=latent_dim=64 or "
        "--set=generator_width=32; may be given several times. --dry_run shows them all.",
        **_AT,
    )
    flags.DEFINE_string(
        "init_from",
        None,
        "Start from the weights of another GAN, as far as they fit: a run, a .keras file, zoo/NAME "
        "or hf://USER/REPO. Classes, image sizes and channels may differ.",
        **_AT,
    )
    rates = ["generator_learning_rate", "discriminator_learning_rate"]
    memory = ["micro_batches", "rematerialize"]
    return ["batch_size", *memory, "epochs", "steps", *rates, "seed", "set", "init_from"]


def _define_game():
    several = "; may be given several times; none takes away the recipe's."
    flags.DEFINE_string(
        "loss", None, "Such as hinge or least_squares:a=-1,b=1,c=0; else the recipe's.", **_AT
    )
    flags.DEFINE_multi_string(
        "auxiliary_loss", None, "Such as pull_away:0.1,layers=features" + several, **_AT
    )
    flags.DEFINE_multi_string("penalty", None, "Such as r1:10 or r1:10,every=16" + several, **_AT)
    flags.DEFINE_multi_string(
        "augment",
        None,
        "What the discriminator sees reals and fakes through, such as diff_augment or ada"
        + several,
        **_AT,
    )
    flags.DEFINE_multi_string(
        "dynamics", None, "Such as top_k or history_pool:500" + several, **_AT
    )
    flags.DEFINE_enum("updates", None, ["simultaneous", "alternating"], "Else the recipe's.", **_AT)
    flags.DEFINE_integer(
        "discriminator_steps",
        None,
        "Discriminator updates a generator update; else the recipe's.",
        **_POSITIVE,
    )
    return "loss auxiliary_loss penalty augment dynamics updates discriminator_steps".split()


def _define_evaluation():
    flags.DEFINE_string(
        "metrics",
        None,
        "What to measure of the samples, such as fd,prdc; python -m kgan.evaluate --help lists "
        "all. Else nothing.",
        **_AT,
    )
    flags.DEFINE_integer("evaluate_every_epochs", 1, "How often to measure.", **_POSITIVE)
    flags.DEFINE_integer("evaluation_samples", 10_000, "Samples that are measured.", **_POSITIVE)
    flags.DEFINE_string(
        "features",
        "auto",
        "The network that looks at the images: mnist, pixels, inception_2015, … auto is mnist for "
        "images of 28x28x1, and else inception_2015.",
        **_AT,
    )
    flags.DEFINE_enum(
        "collapse",
        "warn",
        ["none", "warn", "stop", "restore"],
        "What to do when the run collapses, as kgan.callbacks.CollapseWatch sees it; restore goes "
        "back to the last checkpoint before it.",
        **_AT,
    )
    return "metrics evaluate_every_epochs evaluation_samples features collapse".split()


def _define_machine():
    flags.DEFINE_enum(
        "mixed_precision",
        "none",
        ["none", "auto", "bfloat16", "float16"],
        "Type of computation. auto trains copies for some seconds, takes bfloat16 where that is "
        "faster, as on CPUs with AVX512-BF16 and GPUs from Ampere on, and says so.",
        **_AT,
    )
    flags.DEFINE_enum(
        "jit_compile",
        "auto",
        ["auto", "true", "false"],
        "XLA; auto is on a GPU or TPU only, and without a strategy.",
        **_AT,
    )
    flags.DEFINE_enum(
        "strategy",
        "none",
        ["none", "mirrored", "multi_worker"],
        "mirrored uses all GPUs of this machine; multi_worker those of all machines that "
        "TF_CONFIG names, see docs/many_machines.md.",
        **_AT,
    )
    flags.DEFINE_bool(
        "synchronized_batch_norm",
        False,
        "Batch norm over the whole batch, not the part of each device.",
        **_AT,
    )
    flags.DEFINE_bool(
        "deterministic", True, "The same seed makes the same weights; can be slower on GPU.", **_AT
    )
    return "mixed_precision jit_compile strategy synchronized_batch_norm deterministic".split()


def _define_run():
    flags.DEFINE_string("out", None, "Folder of the run; else runs/MODULE_DATASET.", **_AT)
    flags.DEFINE_bool("resume", False, "Go on from the last checkpoint in --out.", **_AT)
    flags.DEFINE_bool("overwrite", False, "Delete the run that --out holds.", **_AT)
    flags.DEFINE_bool("dry_run", False, "Check and show what would run; write nothing.", **_AT)
    flags.DEFINE_bool("export", True, "Write a SavedModel at the end.", **_AT)
    flags.DEFINE_integer("sample_every_epochs", 1, "How often to draw.", **_POSITIVE)
    flags.DEFINE_integer("checkpoint_every_epochs", 1, "How often to save.", **_POSITIVE)
    every = ["sample_every_epochs", "checkpoint_every_epochs"]
    return ["out", "resume", "overwrite", "dry_run", "export", *every]


# The flags' names by subject, in the order of `--help`.
GROUPS = {
    "Data": _define_data(),
    "Training": _define_training(),
    "Game": _define_game(),
    "Evaluation": _define_evaluation(),
    "Machine": _define_machine(),
    "Run": _define_run(),
}


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
                _own_words(flag.help) + default,
                92,
                initial_indent=" " * 6,
                subsequent_indent=" " * 6,
            )
    return "\n".join(lines)


def _own_words(text):
    """Returns a flag's help without what absl adds to it."""
    text = re.sub(r"^<[^>]*>: ", "", text)
    return re.sub(r";\s+repeat this option to specify a list of values$", "", text)
