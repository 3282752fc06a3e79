"""Real, generated, right label and flipped label: a cross-entropy each."""

import keras
from keras import ops

from kgan.layers.checks import is_number
from kgan.losses.base import LOSSES, AdversarialLoss
from kgan.losses.class_logits import check_class_logits, right_and_wrong
from kgan.losses.minimax import LogitPair


def right_label(class_logits, labels):
    """Returns -log sigmoid(c_y), of shape `(batch, 1)`."""
    right, _ = right_and_wrong(class_logits, labels)
    return ops.softplus(-right)


def flipped_label(class_logits, labels):
    """Returns the mean over wrong labels of -log(1 - sigmoid(c_y')), of shape `(batch, 1)`."""
    _, wrong = right_and_wrong(class_logits, labels)
    return ops.mean(ops.softplus(wrong), axis=-1, keepdims=True)


class _FourTermLoss(AdversarialLoss):
    """One player's weighted sum; `LAMBDAS` names the weights that the player knows."""

    LAMBDAS = ()

    def __init__(self, lambdas, **kwargs):
        super().__init__(**kwargs)
        for name, value in lambdas.items():
            if not (is_number(value) and value >= 0):
                raise ValueError(f"{name} below 0: it must be 0 or more. Received: {value!r}")
            setattr(self, name, value)

    def _label_terms(self, class_logits, labels):
        """Returns the weighted terms of the labels, or 0 where neither is asked for."""
        total = 0.0
        if self.lambda_label:
            total += self.lambda_label * right_label(self._flatten(class_logits), labels)
        if self.lambda_flip:
            total += self.lambda_flip * flipped_label(self._flatten(class_logits), labels)
        return total

    def get_config(self):
        """Returns the arguments that make an equal loss."""
        return {**super().get_config(), **{name: getattr(self, name) for name in self.LAMBDAS}}


@keras.saving.register_keras_serializable(package="kgan")
class FourTermDiscriminatorLoss(_FourTermLoss):
    """λ_real L_real + λ_gen L_gen + λ_label L_label + λ_flip L_flip, a cross-entropy each.

    L_real = -E[log D(x)], L_gen = -E[log(1 - D(G(z)))]; and with the discriminator's one-vs-rest
    class logits c, where sigmoid(c_k(x)) says "x is a real that matches label k", L_label =
    -E[log sigmoid(c_y(x))] for the right label y and L_flip = -E[log(1 - sigmoid(c_y'(x)))] for
    wrong labels y' ≠ y, averaged. This is the matching-aware discriminator of Reed et al. 2016,
    "Generative Adversarial Text to Image Synthesis" (arXiv 1605.05396, section 4.2), with all
    labels judged in one forward pass.

    It is called as `loss(real_scores, fake_scores, class_logits=…, labels=…)`, with what the
    discriminator says of reals, of shape `(batch, K)`, and their labels `(batch,)`.

    Args:
        lambda_real: float >= 0, weight of L_real. Defaults to 1.
        lambda_generated: float >= 0, weight of L_gen. Defaults to 1.
        lambda_label: float >= 0, weight of L_label. Defaults to 1.
        lambda_flip: float >= 0, weight of L_flip. Defaults to 1.
        **kwargs: `name`, `reduction`, `dtype` of `AdversarialLoss`.

    Raises:
        ValueError: if a weight is below 0.

    Example:
    >>> loss = kgan.losses.FourTermDiscriminatorLoss(lambda_flip=3.0)
    >>> scores, logits, labels = np.zeros(4), np.zeros((4, 3)), np.zeros(4, "int32")
    >>> round(float(loss(scores, scores, class_logits=logits, labels=labels)), 4)  # 6 log 2
    4.1589
    """

    LAMBDAS = ("lambda_real", "lambda_generated", "lambda_label", "lambda_flip")

    def __init__(
        self, lambda_real=1.0, lambda_generated=1.0, lambda_label=1.0, lambda_flip=1.0, **kwargs
    ):
        lambdas = (lambda_real, lambda_generated, lambda_label, lambda_flip)
        super().__init__(dict(zip(self.LAMBDAS, lambdas, strict=True)), **kwargs)

    def call(self, real_scores, fake_scores, class_logits=None, labels=None):
        """Returns the weighted sum for each pair of scores.

        Args:
            real_scores: float32 `(batch, positions)`.
            fake_scores: float32 `(batch, positions)`.
            class_logits: float `(batch, K)`, of the reals; None where neither label counts.
            labels: int `(batch,)`, of the reals; None likewise.
        """
        real = self.lambda_real * ops.softplus(-real_scores)
        generated = self.lambda_generated * ops.softplus(fake_scores)
        return real + generated + self._label_terms(class_logits, labels)


@keras.saving.register_keras_serializable(package="kgan")
class FourTermGeneratorLoss(_FourTermLoss):
    """Fakes should be taken for reals, match their label, and no other.

    -λ_gen E[log D(G(z))] - λ_label E[log sigmoid(c_y(G(z)))] - λ_flip E[log(1 - sigmoid(
    c_y'(G(z))))], averaged over the wrong labels y' ≠ y; see `FourTermDiscriminatorLoss`, whose
    L_real does not depend on the generator. After Reed et al. 2016, "Generative Adversarial Text to
    Image Synthesis" (arXiv 1605.05396), non-saturating.

    It is called as `loss(real_scores, fake_scores, class_logits=…, labels=…)`, with what the
    discriminator says of fakes, of shape `(batch, K)`, and the labels that they were made for.

    Args:
        lambda_generated: float >= 0, weight of the adversarial term. Defaults to 1.
        lambda_label: float >= 0, weight of the right label's. Defaults to 1.
        lambda_flip: float >= 0, weight of the wrong labels'. Defaults to 1.
        **kwargs: `name`, `reduction`, `dtype` of `AdversarialLoss`.

    Raises:
        ValueError: if a weight is below 0.

    Example:
    >>> loss = kgan.losses.FourTermGeneratorLoss()
    >>> scores, logits, labels = np.zeros(4), np.zeros((4, 3)), np.zeros(4, "int32")
    >>> round(float(loss(scores, scores, class_logits=logits, labels=labels)), 4)  # 3 log 2
    2.0794
    """

    LAMBDAS = ("lambda_generated", "lambda_label", "lambda_flip")

    def __init__(self, lambda_generated=1.0, lambda_label=1.0, lambda_flip=1.0, **kwargs):
        lambdas = (lambda_generated, lambda_label, lambda_flip)
        super().__init__(dict(zip(self.LAMBDAS, lambdas, strict=True)), **kwargs)

    def call(self, real_scores, fake_scores, class_logits=None, labels=None):
        """Returns the weighted sum for each fake.

        Args:
            real_scores: float32 `(batch, positions)`.
            fake_scores: float32 `(batch, positions)`.
            class_logits: float `(batch, K)`, of the fakes; None where neither label counts.
            labels: int `(batch,)`, of the fakes; None likewise.
        """
        generated = self.lambda_generated * ops.softplus(-fake_scores)
        return generated + self._label_terms(class_logits, labels)


@LOSSES.register
@keras.saving.register_keras_serializable(package="kgan")
class FourTerm(LogitPair):
    """The matching-aware game: L = λ_real L_real + λ_gen L_gen + λ_label L_label + λ_flip L_flip.

    Its terms are described at `FourTermDiscriminatorLoss`; after Reed et al. 2016, "Generative
    Adversarial Text to Image Synthesis" (arXiv 1605.05396). It needs a conditional game with class
    labels and a discriminator that returns one-vs-rest `"class_logits"` of shape `(batch, K)`
    beside its `"score"`. With `lambda_label` and `lambda_flip` 0 it needs neither, and is
    `NonSaturating` with weights. The discriminator's terms are logged unweighted, as
    `"real_term"`, `"generated_term"`, `"label_term"` and `"flip_term"`.

    Args:
        lambda_real: float >= 0, weight of L_real. Defaults to 1.
        lambda_generated: float >= 0, weight of L_gen, for both players. Defaults to 1.
        lambda_label: float >= 0, weight of L_label, for both players. Defaults to 1.
        lambda_flip: float >= 0, weight of L_flip, for both players. Defaults to 1.

    Raises:
        ValueError: if a weight is below 0.

    Example:
    >>> pair = kgan.losses.get("four_term:lambda_flip=0.5")
    >>> view = {"score": np.zeros(4), "class_logits": np.zeros((4, 3)), "labels": np.arange(4) % 3}
    >>> terms = pair.terms(view, view)
    >>> round(float(terms["discriminator_loss"] / terms["flip_term"]), 4)
    3.5
    """

    def __init__(self, lambda_real=1.0, lambda_generated=1.0, lambda_label=1.0, lambda_flip=1.0):
        shared = (lambda_generated, lambda_label, lambda_flip)
        super().__init__(
            FourTermDiscriminatorLoss(lambda_real, *shared), FourTermGeneratorLoss(*shared)
        )
        self.lambda_real = lambda_real
        self.lambda_generated = lambda_generated
        self.lambda_label = lambda_label
        self.lambda_flip = lambda_flip

    @property
    def needs(self):
        """Tuple of str, what the views must hold besides the scores."""
        return ("labels", "class_logits") if self.lambda_label or self.lambda_flip else ()

    @property
    def term_names(self):
        """Tuple of str, what `terms` returns besides the two losses."""
        labelled = ("label_term", "flip_term") if self.needs else ()
        return ("real_term", "generated_term", *labelled)

    def build(self, gan):
        """Raises ValueError unless there is a logit for each class.

        Args:
            gan: `kgan.GAN`.
        """
        if self.needs:
            check_class_logits(self, gan, lambda num_classes: num_classes)

    def terms(self, real, fake):
        """Returns both players' losses of one round and the discriminator's terms.

        Args:
            real: dict, the view of the reals.
            fake: dict, the view of the fakes.
        """
        matching = [{name: view[name] for name in self.needs} for view in (real, fake)]
        scores = real["score"], fake["score"]
        weights = fake.get("weights")
        return {
            "generator_loss": self.generator(*scores, sample_weight=weights, **matching[1]),
            "discriminator_loss": self.discriminator(*scores, **matching[0]),
            **self._unweighted(*scores, **matching[0]),
        }

    def _unweighted(self, real_scores, fake_scores, **matching):
        """Returns each of the discriminator's terms for itself."""
        real_scores, fake_scores = (
            ops.cast(real_scores, "float32"),
            ops.cast(fake_scores, "float32"),
        )
        terms = [ops.softplus(-real_scores), ops.softplus(fake_scores)]
        if matching:
            logits = ops.cast(matching["class_logits"], "float32")
            terms += [term(logits, matching["labels"]) for term in (right_label, flipped_label)]
        return {name: ops.mean(term) for name, term in zip(self.term_names, terms, strict=True)}

    def get_config(self):
        """Returns the arguments that make an equal pair."""
        return {name: getattr(self, name) for name in FourTermDiscriminatorLoss.LAMBDAS}
