"""Progressive growing as a schedule that `fit` follows."""

import keras
from keras import ops

from kgan.backbones.progressive import PARTS, Growing
from kgan.dynamics.base import DYNAMICS, Dynamics
from kgan.layers.checks import check_positive_int


@DYNAMICS.register
@keras.saving.register_keras_serializable(package="kgan")
class Growth(Dynamics):
    """Lets both players begin at a low resolution, and fades in one stage after the other.

    Karras et al. 2018, "Progressive Growing of GANs for Improved Quality, Stability, and Variation"
    (arXiv 1710.10196), section 2 and appendix A.1. The players are
    `kgan.backbones.ProgressiveGenerator` and `ProgressiveDiscriminator`, or models that hold their
    growing layers. They train `images_per_stage` images at each resolution, and then `fade_images`
    while the next fades in, as counted by `GAN.images_seen`; at the last they stay.

    `compile` puts the players where the schedule is, and each step moves them on; a later `compile`
    without `Growth` leaves them there. The averaged generator follows the generator. The optimizers
    keep their moments when a stage begins, where the authors' code resets them. Weights of stages
    that have not begun have no gradient, and so stay as they are unless an optimizer decays them.

    Args:
        images_per_stage: int >= 1, images at each resolution before the next begins. Defaults to
            600,000, the authors' code's; the paper's CelebA-HQ run has 800,000.
        fade_images: int >= 1, images while a stage fades in. Defaults to 600,000, the authors'
            code's; the paper's CelebA-HQ run has 800,000.
        name: str, the prefix of its logs: the resolution (the height that the latest stage that
            has begun makes, in pixels) and alpha (how far it is faded in, from 0 to 1). Defaults
            to `"growth"`.

    Raises:
        ValueError: if an argument is no positive integer, or, at `compile`, if a player does not
            grow or they have different numbers of stages.

    Example:
    >>> gan = kgan.GAN(
    ...     kgan.backbones.ProgressiveGenerator((8, 8, 1), latent_dim=4, width=2),
    ...     kgan.backbones.ProgressiveDiscriminator((8, 8, 1), width=2),
    ... )
    >>> gan.compile(dynamics=[kgan.dynamics.Growth(images_per_stage=16, fade_images=16)])
    >>> images = np.zeros((16, 8, 8, 1), "float32")
    >>> gan.fit(images, batch_size=16, epochs=3, verbose=0).history["growth_resolution"]
    [4.0, 4.0, 8.0]
    """

    def __init__(self, images_per_stage=600_000, fade_images=600_000, name=None):
        check_positive_int("images_per_stage", images_per_stage)
        check_positive_int("fade_images", fade_images)
        super().__init__(name)
        self.images_per_stage = images_per_stage
        self.fade_images = fade_images

    def build(self, gan):
        """Finds the layers that grow, and puts them where the schedule is."""
        players = {
            player: _growing_layers(getattr(gan, player))
            for player in ("generator", "discriminator")
        }
        for player, layers in players.items():
            if not layers:
                raise ValueError(
                    "Growth needs players that grow, such as kgan.backbones.ProgressiveGenerator "
                    f"and ProgressiveDiscriminator. Received: {player}={getattr(gan, player)!r}"
                )
        self._layers = [layer for layers in players.values() for layer in layers]
        counts = {player: [x.num_stages for x in layers] for player, layers in players.items()}
        if len({layer.num_stages for layer in self._layers}) > 1:
            raise ValueError(
                "Growth needs the same number of stages in both players: give them one "
                f"`image_shape`. Received: {counts}"
            )
        self._height = gan.image_shape[0]
        averaged = _growing_layers(gan.averaged_generator)
        progress = self.progress_at(gan.images_seen)
        for layer in [*self._layers, *averaged]:
            layer.progress.assign(progress)

    def progress_at(self, images):
        """Returns how far the players have grown after so many images.

        Args:
            images: int or integer tensor.

        Returns:
            Integer scalar tensor: `kgan.backbones.progressive.PARTS` for each stage after the
            first.
        """
        images = ops.cast(images, "int")
        phase_images = self.images_per_stage + self.fade_images
        faded = ops.maximum(images % phase_images - self.images_per_stage, 0)
        progress = PARTS * (images // phase_images) + PARTS * faded // self.fade_images
        return ops.minimum(progress, self._layers[0].max_progress)

    def before_step(self, gan):
        """Moves both players on."""
        progress = self.progress_at(gan.images_seen)
        for layer in self._layers:
            layer.progress.assign(progress)

    @property
    def state_names(self):
        """Tuple of str, the keys of the resolution and alpha in the logs."""
        return (f"{self.name}_resolution", f"{self.name}_alpha")

    def state_logs(self):
        """Returns the height that the latest stage makes, and how far it is faded in."""
        layer = self._layers[0]
        latest = layer.latest()
        later = ops.cast(layer.num_stages - 1 - latest, "float32")
        return {
            f"{self.name}_resolution": self._height / 2.0**later,
            f"{self.name}_alpha": layer.share(latest),
        }

    def get_config(self):
        """Returns the arguments that make an equal schedule."""
        return {
            **super().get_config(),
            "images_per_stage": self.images_per_stage,
            "fade_images": self.fade_images,
        }


def _growing_layers(player):
    return [layer for layer in player._flatten_layers() if isinstance(layer, Growing)]
