"""BEGAN: a game that holds the balance of its players by a number that it moves."""

import keras
from keras import ops

from kgan import replicas
from kgan.gan import GAN
from kgan.layers.checks import check_positive_number, is_number
from kgan.losses import Wasserstein


@keras.saving.register_keras_serializable(package="kgan")
class BEGAN(GAN):
    """The discriminator reconstructs reals, and forgets fakes only as much as balance allows.

    Berthelot, Schumm, Metz 2017, "BEGAN: Boundary Equilibrium Generative Adversarial Networks"
    (arXiv 1703.10717), section 3.4. With L(v), the error with which an auto-encoder reconstructs v,

        the discriminator minimises  L(x) - k L(G(z)),
        the generator                L(G(z)),
        and after each step          k <- k + λ (γ L(x) - L(G(z))), kept in [0, 1].

    The measure of convergence M = L(x) + |γ L(x) - L(G(z))| is logged as `"convergence"`, and k as
    `"k"`. The loss must be `"wasserstein"`, which is this game with k = 1, of scores -L(v).

    Args:
        generator: `keras.Model`, latents to images.
        discriminator: `keras.Model` whose scores are minus an error of reconstruction, such as
            `kgan.backbones.AutoencodingDiscriminator`.
        diversity: float in (0, 1], γ, the share of L(x) that L(G(z)) is held to: lower draws
            better images, and fewer. Defaults to 0.5.
        balance_gain: float > 0, λ, by how much k moves. Defaults to 0.001.
        **kwargs: of `kgan.GAN`.

    Raises:
        ValueError: if an argument is out of range; at `compile`, if the loss is another.

    Example:
    >>> generator = kgan.backbones.BEGANGenerator((8, 8, 1), latent_dim=4, width=4)
    >>> encoder = kgan.backbones.BEGANEncoder((8, 8, 1), code_dim=4, width=4)
    >>> decoder = kgan.backbones.BEGANGenerator((8, 8, 1), latent_dim=4, width=4)
    >>> gan = kgan.games.BEGAN(
    ...     generator, kgan.backbones.AutoencodingDiscriminator(encoder, decoder, "absolute")
    ... )
    >>> gan.compile("adam", "adam", loss="wasserstein")
    >>> history = gan.fit(np.zeros((32, 8, 8, 1)), verbose=0).history
    >>> sorted(history.keys() & {"convergence", "k"})
    ['convergence', 'k']
    """

    def __init__(self, generator, discriminator, diversity=0.5, balance_gain=0.001, **kwargs):
        if not (is_number(diversity) and 0 < diversity <= 1):
            raise ValueError(f"diversity must lie in (0, 1]. Received: {diversity!r}")
        check_positive_number("balance_gain", balance_gain)
        super().__init__(generator, discriminator, **kwargs)
        self.diversity = diversity
        self.balance_gain = balance_gain
        self.k = self.add_weight(
            name="k",
            shape=(),
            initializer="zeros",  # section 3.4: k_0 = 0
            trainable=False,
            aggregation="only_first_replica",
        )

    def _fit_to_game(self, arguments):
        if not isinstance(arguments["loss"], Wasserstein):
            raise ValueError(
                f'BEGAN\'s loss must be "wasserstein". Received: {arguments["loss"]!r}'
            )
        return super()._fit_to_game(arguments)

    def compute_losses(self, real_images, labels, training=True):
        """Plays one round, in which errors on fakes count k times for the discriminator."""
        logs = super().compute_losses(real_images, labels, training)
        k, (_, fake_error) = ops.convert_to_tensor(self.k), _errors(logs["round"])
        logs["discriminator_loss"] += (1 - k) * fake_error
        error, imbalance = self._balance(logs["round"])
        return {**logs, "convergence": error + ops.abs(imbalance), "k": k}

    def _balance(self, round):
        """Returns L(x) and γ L(x) - L(G(z)), over the batches of all replicas."""
        real_error, fake_error = map(replicas.mean, _errors(round))
        return real_error, self.diversity * real_error - fake_error

    def log_names(self):
        """Returns the keys of what `compute_losses` returns."""
        return [*super().log_names(), "convergence", "k"]

    def _move(self, player, gradients, round):
        super()._move(player, gradients, round)
        if player == "discriminator":
            _, imbalance = self._balance(round)
            self.k.assign(ops.clip(self.k + self.balance_gain * imbalance, 0.0, 1.0))

    def get_config(self):
        """Returns the arguments that make an equal, untrained game."""
        config = {"diversity": self.diversity, "balance_gain": self.balance_gain}
        return {**super().get_config(), **config}


def _errors(round):
    """Returns the mean error of reconstruction of this replica's reals, and of the fakes shown."""
    return [-ops.mean(ops.cast(view["score"], "float32")) for view in (round.real, round.shown)]
