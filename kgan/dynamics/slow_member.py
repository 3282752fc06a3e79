"""A slow proxy among several discriminators."""

import numbers

import keras

from kgan.backbones.committee import Committee
from kgan.dynamics.base import DYNAMICS, Dynamics
from kgan.layers.checks import is_number


@DYNAMICS.register
@keras.saving.register_keras_serializable(package="kgan")
class SlowMember(Dynamics):
    """Slows one discriminator of a `kgan.backbones.Committee`: a proxy that does not saturate.

    Where the main discriminator tells all fakes for sure, its gradients vanish; a slower one still
    gives the generator some. Durugkar et al. 2016, "Generative Multi-Adversarial Networks"
    (arXiv 1611.01673), have several discriminators. How the generator
    weighs their losses is the business of `kgan.losses.Mixed`.

    Args:
        factor: float in (0, 1), the factor of the member's updates. Defaults to 0.1.
        member: int, which member of the committee, -1 for the last. Defaults to -1.
        name: str. Defaults to `"slow_member"`.

    Raises:
        ValueError: if `factor` is out of range or `member` is no integer, or, at `compile`, if the
            discriminator is no committee or has no such member.

    Example:
    >>> def member(name):
    ...     return kgan.backbones.MLPDiscriminator(image_shape=(2,), units=[8], name=name)
    >>> gan = kgan.GAN(
    ...     kgan.backbones.MLPGenerator(image_shape=(2,), latent_dim=4, units=[8]),
    ...     kgan.backbones.Committee([member("main"), member("proxy")]),
    ... )
    >>> gan.compile(loss=kgan.losses.Mixed("hinge"), dynamics=[kgan.dynamics.SlowMember(0.1)])
    """

    def __init__(self, factor=0.1, member=-1, name=None):
        if not (is_number(factor) and 0 < factor < 1):
            raise ValueError(f"factor must lie in (0, 1). Received: {factor!r}")
        if not isinstance(member, numbers.Integral) or isinstance(member, bool):
            raise ValueError(f"member must be an integer. Received: {member!r}")
        super().__init__(name)
        self.factor = factor
        self.member = member

    def build(self, gan):
        """Finds the member's variables."""
        committee = gan.discriminator
        count = len(committee.members) if isinstance(committee, Committee) else 0
        if not -count <= self.member < count:
            raise ValueError(
                "SlowMember needs a discriminator that is a kgan.backbones.Committee with this "
                f"member. Received: member={self.member}, discriminator={committee!r}"
            )
        variables = committee.members[self.member].trainable_variables
        self._slowed = {id(variable) for variable in variables}

    def pace(self, player, variable):
        """Returns the factor for the member's variables."""
        return self.factor if id(variable) in self._slowed else None

    def get_config(self):
        """Returns the arguments that make equal dynamics."""
        return {**super().get_config(), "factor": self.factor, "member": self.member}
