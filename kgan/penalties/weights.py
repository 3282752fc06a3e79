"""Penalties on a player's weights, and limits of them."""

import keras
from keras import ops

from kgan import replicas
from kgan.layers.checks import is_number
from kgan.layers.reparametrization import DEPTHWISE, TRANSPOSED
from kgan.penalties.base import PENALTIES, Constraint, Penalty

PLAYERS = ("generator", "discriminator")


@PENALTIES.register
@keras.saving.register_keras_serializable(package="kgan")
class Orthogonal(Penalty):
    """Keeps a player's filters apart: β Σ ‖WᵀW ⊙ (1 − I)‖²_F over its kernels.

    Only filters' products with each other count, not their norms. Brock et al. 2019, "Large Scale
    GAN Training for High Fidelity Natural Image Synthesis" (arXiv 1809.11096), equation 3, with
    `weight` as its β. W has a column for each output channel of a layer. Kernels are the trainable
    weights of two or more axes whose name ends in `kernel`: no embeddings, tables or biases. It is
    computed in float32.

    Args:
        weight: float > 0, β. Defaults to 1e-4.
        player: `"generator"` or `"discriminator"`, whose kernels. Defaults to `"generator"`.
        every: int >= 1, in which of the player's steps it is computed. Defaults to 1.
        name: str, the key in the logs. Defaults to `"orthogonal"`.

    Raises:
        ValueError: if `weight` is not above 0, `player` is unknown, `every` is below 1, or, when
            compiled, the player has no kernel.

    Example:
    >>> layer = keras.layers.Dense(2, use_bias=False)
    >>> generator = keras.Sequential([keras.Input((2,)), layer])
    >>> layer.set_weights([np.array([[1, 2], [0, 1]])])  # (1, 0) · (2, 1) = 2, twice
    >>> penalty = kgan.penalties.Orthogonal(0.5)
    >>> float(penalty(kgan.Round(real={}, fake={}, generator=generator)))
    4.0
    """

    def __init__(self, weight=1e-4, player="generator", every=1, name=None):
        super().__init__(weight, every, name)
        self.player = _checked_player(player)

    def build(self, gan):
        """Checks that the player has kernels."""
        network = getattr(gan, self.player)
        if not _filters(network):
            names = [variable.path for variable in network.trainable_variables]
            raise ValueError(
                f"Orthogonal needs a {self.player} with kernels: trainable weights of two or more "
                f"axes whose name ends in 'kernel'. Received: {names}"
            )

    def call(self, round):
        """Returns Σ ‖WᵀW ⊙ (1 − I)‖²_F."""
        return sum(_overlap(w) for w in _filters(getattr(round, self.player)))

    def get_config(self):
        """Returns the arguments that make an equal penalty."""
        return {**super().get_config(), "player": self.player}


@PENALTIES.register
@keras.saving.register_keras_serializable(package="kgan")
class HistoricalAveraging(Penalty):
    """Pulls a player's weights to the mean of their past: ‖θ − (1/t) Σ θ[i]‖².

    θ[i] are the player's trainable weights after its i-th update; the mean over all updates so far
    is saved with the GAN. Before the first update the penalty is 0. Salimans et al. 2016,
    "Improved Techniques for Training GANs" (arXiv 1606.03498), section 3.3, which gives no weight.

    Args:
        weight: float > 0, the factor of the penalty. Defaults to 1.
        player: `"generator"` or `"discriminator"`, whose weights. Defaults to `"discriminator"`.
        every: int >= 1, in which of the player's steps it is computed. Defaults to 1.
        name: str, the key in the logs. Defaults to `"historical_averaging"`.

    Raises:
        ValueError: if `weight` is not above 0, `player` is unknown or `every` is below 1.

    Example:
    >>> penalties = [
    ...     kgan.penalties.HistoricalAveraging(0.1, player, name=f"{player}_history")
    ...     for player in ("generator", "discriminator")
    ... ]
    >>> [penalty.player for penalty in penalties]
    ['generator', 'discriminator']
    """

    def __init__(self, weight=1.0, player="discriminator", every=1, name=None):
        super().__init__(weight, every, name)
        self.player = _checked_player(player)

    def build(self, gan):
        """Makes the means, one for each of the player's weights, and the count of updates."""
        self._weights = list(getattr(gan, f"{self.player}_variables"))
        self._updates = self.add_variable(name="updates")
        self._means = [self.add_variable(w.shape, name=f"mean_{w.name}") for w in self._weights]

    def call(self, round):
        """Returns ‖θ − (1/t) Σ θ[i]‖², or 0 before the first update."""
        distance = sum(
            ops.sum(ops.square(_float32(w) - mean))
            for w, mean in zip(self._weights, self._means, strict=True)
        )
        return ops.where(self._updates > 0, distance, 0.0)

    def after_update(self, round):
        """Takes the weights into their mean."""
        updates = self._updates + 1
        pairs = zip(self._weights, self._means, strict=True)
        moved = [mean + (_float32(w) - mean) / updates for w, mean in pairs]
        replicas.assign([self._updates, *self._means], [updates, *moved])

    def get_config(self):
        """Returns the arguments that make an equal penalty."""
        return {**super().get_config(), "player": self.player}


@PENALTIES.register
@keras.saving.register_keras_serializable(package="kgan")
class WeightClipping(Constraint):
    """Clips all of the critic's weights after each of its updates: w ← clip(w, −c, c).

    Arjovsky et al. 2017, "Wasserstein GAN" (arXiv 1701.07875), algorithm 1, with `limit` as its c.
    All trainable weights of the discriminator are clipped, biases as well. The initial weights
    stay as they are until the first update.

    Args:
        limit: float > 0, c. Defaults to 0.01.
        name: str. Defaults to `"weight_clipping"`.

    Raises:
        ValueError: if `limit` is not above 0.

    Example:
    >>> gan = kgan.GAN(
    ...     kgan.backbones.MLPGenerator(image_shape=(2,), latent_dim=4, units=[8]),
    ...     kgan.backbones.MLPDiscriminator(image_shape=(2,), units=[8]),
    ... )
    >>> gan.compile(penalties=["weight_clipping:0.001"])
    >>> history = gan.fit(np.ones((8, 2), "float32"), verbose=0)
    >>> round(max(float(np.abs(w).max()) for w in gan.discriminator.get_weights()), 6)
    0.001
    """

    def __init__(self, limit=0.01, name=None):
        super().__init__(name)
        if not (is_number(limit) and limit > 0):
            raise ValueError(f"limit must be above 0. Received: {limit!r}")
        self.limit = limit

    def build(self, gan):
        """Notes the weights to clip."""
        self._weights = list(gan.discriminator_variables)

    def after_update(self, round):
        """Clips the weights."""
        clipped = [ops.clip(w, -self.limit, self.limit) for w in self._weights]
        replicas.assign(self._weights, clipped)

    def get_config(self):
        """Returns the arguments that make an equal constraint."""
        return {**super().get_config(), "limit": self.limit}


def _checked_player(player):
    if player not in PLAYERS:
        raise ValueError(f"player must be one of {PLAYERS}. Received: {player!r}")
    return player


def _float32(variable):
    return ops.cast(ops.convert_to_tensor(variable), "float32")


def _filters(network):
    """Returns each kernel of a network as a matrix with a column for each output, in float32."""
    owners = {
        id(variable): layer
        for layer in network._flatten_layers(include_self=False)
        for variable in layer._trainable_variables
    }
    return [
        _matrix(variable, owners.get(id(variable)))
        for variable in network.trainable_variables
        if variable.name.endswith("kernel") and len(variable.shape) >= 2
    ]


def _matrix(kernel, layer):
    w = _float32(kernel)
    if isinstance(layer, TRANSPOSED):
        w = ops.swapaxes(w, -1, -2)
    columns = w.shape[-2] * w.shape[-1] if isinstance(layer, DEPTHWISE) else w.shape[-1]
    return ops.reshape(w, (-1, columns))


def _overlap(w):
    """Returns ‖WᵀW ⊙ (1 − I)‖²_F."""
    products = ops.matmul(ops.transpose(w), w)
    return ops.sum(ops.square(products * (1 - ops.eye(w.shape[-1]))))
