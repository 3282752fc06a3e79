"""GAN: the keras.Model with two players, and the one train step that moves both."""

import functools
import math
import random
import threading
import warnings

import keras
from keras import ops

from kgan import augment as augmentations
from kgan import backend, batches, losses, micro_batches, precision, replicas
from kgan import dynamics as dynamics_room
from kgan import penalties as penalties_room
from kgan.layers.pack import Pack
from kgan.layers.reparametrization import shared_weights
from kgan.rematerialization import Rematerialized, graph_of, paused
from kgan.round import Round

UPDATES = ("simultaneous", "alternating")
LATENT_DISTRIBUTIONS = ("normal", "uniform")
# What `compile` takes beside the loss, each a list of components.
KINDS = ("auxiliary_losses", "penalties", "augment", "dynamics")
# Where comes from what a game may lack.
HINTS = {
    "labels": " Labels come with GAN(num_classes=…) or GAN(condition_dim=…).",
    "class_logits": " kgan.layers.ClassifierHead ends a discriminator with class_logits.",
    "twin_logits": " kgan.layers.TwinClassifierHead ends a discriminator with twin_logits.",
    "embedding": " kgan.layers.ContrastiveHead ends a discriminator with embedding and proxy.",
    "categorical_logits": " kgan.layers.CodeHead ends a discriminator with codes.",
    "continuous_mean": " kgan.layers.CodeHead ends a discriminator with codes.",
}


# Layers that compute what somebody else has written, of which nothing is known.
OF_OTHERS = (
    keras.layers.Lambda,
    keras.layers.FlaxLayer,
    keras.layers.JaxLayer,
    keras.layers.TFSMLayer,
    keras.layers.TorchModuleWrapper,
)

# Whose turn this thread computes: replicas are traced in one each.
_turn = threading.local()


@keras.saving.register_keras_serializable(package="kgan")
class GAN(backend.Trainer, keras.Model):
    """A generator and a discriminator that play against each other under `fit`.

    Goodfellow et al. 2014, "Generative Adversarial Networks" (arXiv 1406.2661). Both players are
    ordinary Keras models. An unconditional GAN calls `generator(latents)` and
    `discriminator(images)`; a conditional one calls `generator([latents, labels])` and
    `discriminator([images, labels])`, where fakes take the labels of the real batch.

    What is drawn for people (`generate`, `predict`, `evaluate`'s metrics, `export`) comes from
    `averaged_generator`, an exponential average of the generator's weights and batch-norm
    statistics (Yazıcı et al. 2018, arXiv 1806.04498), which is steadier than the last step.

    Args:
        generator: `keras.Model`, latents `(batch, latent_dim)` to samples.
        discriminator: `keras.Model`, samples to scores: `(batch,)`, `(batch, 1)` or a patch map
            `(batch, height, width, 1)`; or to a dict that holds them as `"score"` beside what else
            a loss needs (`"class_logits"`, …).
        num_classes: int or None, makes the GAN conditional on int labels `(batch,)` in
            `[0, num_classes)`. Defaults to None.
        condition_dim: int or None, makes it conditional on float vectors
            `(batch, condition_dim)` (attributes, several labels at once). Defaults to None.
        latent_dim: int or None, width of the latents. Defaults to what the generator's input
            says; a generator without a known input needs it.
        latent_distribution: `"normal"` (mean 0, standard deviation 1) or `"uniform"` (from -1
            to 1). Defaults to `"normal"`.
        average_half_life_images: int or None, after how many training images a weight counts
            half in the averaged generator; None uses the generator itself. Defaults to 10,000.
        average_warm_up: float > 0, the half-life is at most this fraction of the images seen, so
            that the first, bad generators are soon forgotten. Defaults to 0.05.
        seed: int or None, of the latents drawn in training. Defaults to a random one.
        **kwargs: `name`, `dtype` of `keras.Model`.

    Raises:
        ValueError: if an argument is out of range, or `latent_dim` is missing and unknown.

    Example:
    >>> gan = kgan.GAN(
    ...     kgan.backbones.MLPGenerator(image_shape=(2,), latent_dim=4, units=[8]),
    ...     kgan.backbones.MLPDiscriminator(image_shape=(2,), units=[8]),
    ... )
    >>> gan.compile(generator_optimizer="adam", discriminator_optimizer="adam")
    >>> history = gan.fit(np.random.uniform(-1, 1, (64, 2)), epochs=1, verbose=0)
    >>> gan.generate(16, seed=1).shape
    (16, 2)
    """

    # The networks that the constructor takes, and the player that each belongs to. A game with more
    # extends it, and hands them on to this constructor by name.
    roles = {"generator": "generator", "discriminator": "discriminator"}

    def __init__(
        self,
        generator,
        discriminator,
        num_classes=None,
        condition_dim=None,
        latent_dim=None,
        latent_distribution="normal",
        average_half_life_images=10_000,
        average_warm_up=0.05,
        seed=None,
        **kwargs,
    ):
        others = {name: kwargs.pop(name) for name in self.roles if name in kwargs}
        super().__init__(**kwargs)
        if num_classes is not None and condition_dim is not None:
            raise ValueError(
                "Give num_classes (int labels) or condition_dim (float vectors), not both. "
                f"Received: num_classes={num_classes}, condition_dim={condition_dim}"
            )
        if latent_distribution not in LATENT_DISTRIBUTIONS:
            raise ValueError(
                f"latent_distribution must be one of {LATENT_DISTRIBUTIONS}. "
                f"Received: {latent_distribution!r}"
            )
        for name, value in (
            ("average_half_life_images", average_half_life_images),
            ("average_warm_up", average_warm_up),
        ):
            if value is not None and not value > 0:
                raise ValueError(f"{name} must be above 0. Received: {value!r}")

        # === Config ===
        self.num_classes = num_classes
        self.condition_dim = condition_dim
        self.latent_dim = latent_dim or _input_width(generator)
        self.latent_distribution = latent_distribution
        self.average_half_life_images = average_half_life_images
        self.average_warm_up = average_warm_up
        self.seed = random.randint(0, 2**31 - 1) if seed is None else seed

        # === Players ===
        self.generator = generator
        self.discriminator = discriminator
        for name, network in others.items():
            setattr(self, name, network)
        self.image_shape, self.output_shapes = self._build_players()
        _check_built(self.networks)
        self.images_per_score = _images_per_score(discriminator)
        self.averaged_generator = generator
        if average_half_life_images is not None:
            self.averaged_generator = self._copy_generator()

        # === Training state ===
        self._training_seeds = keras.random.SeedGenerator(self.seed)
        self._evaluation_seeds = keras.random.SeedGenerator(self.seed)
        self.images_seen = self.add_weight(
            name="images_seen",
            shape=(),
            dtype="int",
            initializer="zeros",
            trainable=False,
            aggregation="only_first_replica",
        )
        self._trackers = {}
        self._evaluation_metrics = []
        self._components = []
        self._observers = []
        self._rematerialized = {}
        self.built = True

    @property
    def is_conditional(self):
        """Whether both players are given labels."""
        return self.num_classes is not None or self.condition_dim is not None

    @property
    def steps_trained(self):
        """How often the generator has been updated, an int; 0 before `compile`."""
        if not self.compiled:
            return 0
        self.synchronize()
        # A variable of several replicas is no int by itself.
        return int(self.generator_optimizer.iterations.numpy())

    def _build_players(self):
        """Builds both symbolically; returns the shapes of a sample and of what is said of it."""
        latents, labels = keras.Input((self.latent_dim,)), self._label_input()
        images = self.generator(self._inputs(latents, labels))
        said = self.discriminator(self._inputs(images, labels))
        if isinstance(said, dict) and "score" not in said or isinstance(said, (list, tuple)):
            raise ValueError(
                'The discriminator must return its scores, or a dict that holds them as "score". '
                f"Received: {sorted(said) if isinstance(said, dict) else type(said).__name__}"
            )
        return tuple(images.shape[1:]), shapes_said(said)

    def _label_input(self):
        if self.num_classes is not None:
            return keras.Input((), dtype="int32")
        return keras.Input((self.condition_dim,)) if self.condition_dim is not None else None

    def _copy_generator(self):
        copy = keras.models.clone_model(self.generator)
        copy(self._inputs(keras.Input((self.latent_dim,)), self._label_input()))
        copy.set_weights(self.generator.get_weights())
        copy.trainable = False
        copy.name = "averaged_generator"
        return copy

    def _inputs(self, values, labels):
        return values if labels is None else [values, labels]

    def build(self, input_shape=None):
        """Does nothing: the constructor has built both players."""

    # --- What users compile ---------------------------------------------------------------------

    def compile(
        self,
        generator_optimizer="adam",
        discriminator_optimizer="adam",
        loss="non_saturating",
        auxiliary_losses=(),
        penalties=(),
        augment=(),
        dynamics=(),
        metrics=(),
        updates="simultaneous",
        discriminator_steps=1,
        micro_batches=1,
        rematerialize=False,
        run_eagerly=False,
        steps_per_execution=1,
        jit_compile="auto",
    ):
        """Says how the players learn.

        Args:
            generator_optimizer: Keras optimizer, its name or its config. Defaults to `"adam"`.
            discriminator_optimizer: likewise, another object. Defaults to `"adam"`.
            loss: str or `kgan.losses.LossPair`, see `kgan.losses.names()`. Defaults to
                `"non_saturating"`.
            auxiliary_losses: list of `kgan.losses.AuxiliaryLoss` or their names, terms that are
                added to the losses of the players that they are for.
            penalties: list of `kgan.penalties.Penalty`, added to the loss of the player that they
                are for, and of `kgan.penalties.Constraint`; or their names (`"r1:10"`), see
                `kgan.penalties.names()`.
            augment: list of `kgan.augment.Augmentation` or their names, see
                `kgan.augment.names()`; the discriminator sees reals and fakes through them, in
                this order. One alone needs no list.
            dynamics: list of `kgan.dynamics.Dynamics` or their names, see
                `kgan.dynamics.names()`.
            metrics: list of `keras.metrics.Metric` that `evaluate` (and so `validation_data`)
                calls as `update_state(real_images, fake_images)`, such as those of
                `kgan.metrics`, which are given the labels too.
            updates: `"simultaneous"` (both gradients from one forward pass) or `"alternating"`
                (the generator answers the discriminator after its step). Defaults to
                `"simultaneous"`.
            discriminator_steps: int >= 1, discriminator updates a generator update. Each takes
                its own equal slice of the batch, so feed that many times more images a step.
                Defaults to 1.
            micro_batches: int >= 1, in how many equal parts, one after the other, each update
                computes its gradients: the same update from less memory, but where something is
                computed over the whole batch (batch norm, some losses), which sees a part.
                Defaults to 1.
            rematerialize: bool, whether gradients compute the networks' activations again, part
                by part, instead of finding them in memory: the same update from less of it, but
                in more time; see `kgan.rematerialization`. Defaults to False.
            run_eagerly: bool, as in Keras. Defaults to False.
            steps_per_execution: int >= 1, as in Keras. Defaults to 1.
            jit_compile: bool or `"auto"`: XLA where there is a GPU or TPU, and not on CPU, where
                oneDNN's convolutions are faster; under JAX always. Defaults to `"auto"`.

        Raises:
            ValueError: if a name is unknown, a value is out of range, or this game does not give
                what a loss, penalty, augmentation or dynamics needs.
            TypeError: if both players share one optimizer object, or an object is of a wrong kind.
        """
        _check_compile_arguments(
            updates,
            discriminator_steps,
            rematerialize,
            generator_optimizer,
            discriminator_optimizer,
        )
        arguments = {
            "generator_optimizer": keras.optimizers.get(generator_optimizer),
            "discriminator_optimizer": keras.optimizers.get(discriminator_optimizer),
            "loss": losses.get(loss),
            "auxiliary_losses": [losses.get_auxiliary(one) for one in _listed(auxiliary_losses)],
            "penalties": [penalties_room.get(one) for one in _listed(penalties)],
            "augment": [augmentations.get(one) for one in _listed(augment)],
            "dynamics": [dynamics_room.get(one) for one in _listed(dynamics)],
            "metrics": _listed(metrics),
            "updates": updates,
            "discriminator_steps": discriminator_steps,
            "micro_batches": micro_batches,
            "rematerialize": rematerialize,
            "run_eagerly": run_eagerly,
            "steps_per_execution": steps_per_execution,
            "jit_compile": jit_compile,
        }
        # All that may be refused comes first: a GAN that refuses stays as it was.
        observed = self._fit_to_game(arguments)
        self._compile_arguments, self._observed = arguments, observed
        others = {name: one for name, one in self.networks.items() if name != "discriminator"}
        self._rematerialized = {
            name: Rematerialized(one) for name, one in others.items() if rematerialize
        }
        if jit_compile == "auto":
            by_default = backend.default_jit_compile(self._distribute_strategy)
            jit_compile = by_default and not run_eagerly
        super().compile(
            optimizer=None,
            run_eagerly=run_eagerly,
            steps_per_execution=steps_per_execution,
            jit_compile=jit_compile,
        )
        self.updates = updates
        self.discriminator_steps = discriminator_steps
        self.micro_batches = micro_batches
        for name in ("loss", *KINDS):
            setattr(self, name, arguments[name])
        self._components = _components(arguments)
        self._compile_optimizers()
        self._trackers = {name: _RunningMean(name=name) for name in self._tracked_names()}
        self._evaluation_metrics = arguments["metrics"]

    @property
    def compile_arguments(self):
        """Dict of the arguments that `compile` was given, with objects in the place of names."""
        return dict(self._compile_arguments)

    def _compile_optimizers(self):
        for player in ("generator", "discriminator"):
            optimizer = self._compile_arguments[f"{player}_optimizer"]
            scales_loss = isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
            if self._uses_float16() and not scales_loss:
                optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
            setattr(self, f"{player}_optimizer", optimizer)
            optimizer.build(getattr(self, f"{player}_variables"))

    def _fit_to_game(self, arguments):
        """Builds the loss and components for this game, and returns what observes its layers.

        Raises:
            ValueError: if one of them does not fit.
        """
        loss, components = arguments["loss"], _components(arguments)
        _check_names(components)
        for metric in arguments["metrics"]:
            if not isinstance(metric, keras.metrics.Metric):
                raise TypeError(
                    "metrics must be keras.metrics.Metric objects, called as "
                    f"update_state(real_images, fake_images). Received: {metric!r}"
                )
            if hasattr(metric, "check_compiled"):
                metric.check_compiled(self)
        for asker in (loss, *components):
            self._check_needs(asker)
        micro_batches.check(self, arguments["micro_batches"], components)
        layers = sorted({name for one in arguments["auxiliary_losses"] for name in one.layers})
        observed = _observed(self.discriminator, layers, arguments["rematerialize"])
        loss.build(self)
        for component in components:
            component.variables = []
            component.build(self)
        return observed

    def _check_needs(self, asker):
        missing = [name for name in asker.needs if name not in self.view_names]
        if missing:
            hints = "".join(dict.fromkeys(HINTS[name] for name in missing if name in HINTS))
            raise ValueError(
                f"{type(asker).__name__} needs {', '.join(missing)}, which this game does not "
                f"give: it gives {', '.join(self.view_names)}.{hints} Received: {asker!r}"
            )

    @property
    def view_names(self):
        """Tuple of str, what the view of the fakes holds; see `kgan.Round`."""
        labels = ("labels",) if self.is_conditional else ()
        return ("images", "latents", *labels, *self.output_shapes)

    def _uses_float16(self):
        return any(layer.compute_dtype == "float16" for layer in self._flatten_layers())

    def log_names(self):
        """Returns the keys of what `compute_losses` returns; a game with more adds its own."""
        names = ["generator_loss", "discriminator_loss", "real_score", "fake_score"]
        terms = [f"{player}_{one.name}" for one in self.auxiliary_losses for player in one.players]
        return [*names, *self.loss.term_names, *terms, *(p.name for p in self._weighted_penalties)]

    def _tracked_names(self):
        names = [*self.log_names(), *(n for one in self._components for n in one.state_names)]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(
                f"Two logs would share a name: give one of them another (name=…). Received: {twice}"
            )
        return names

    @property
    def _weighted_penalties(self):
        return [one for one in self.penalties if isinstance(one, penalties_room.Penalty)]

    @property
    def networks(self):
        """Dict of the networks that are trained, by the names in `roles`."""
        return {name: getattr(self, name) for name in self.roles}

    @property
    def generator_variables(self):
        """The variables that the generator's optimizer moves."""
        return self.variables_of("generator")

    @property
    def discriminator_variables(self):
        """The variables that the discriminator's optimizer moves."""
        return self.variables_of("discriminator")

    def variables_of(self, player):
        """Returns the variables that a player's optimizer moves."""
        networks = [self.networks[name] for name, role in self.roles.items() if role == player]
        return [variable for network in networks for variable in network.trainable_variables]

    # --- The game -------------------------------------------------------------------------------

    def compute_losses(self, real_images, labels, training=True):
        """Plays one round: draws latents, generates, and scores reals and fakes.

        A game overrides this. The scalars are means over this replica's examples.

        Args:
            real_images: float32 `(batch, …)` in [-1, 1].
            labels: int32 `(batch,)` or float32 `(batch, condition_dim)`; None without condition.
            training: bool, False draws latents that do not disturb training. Defaults to True.

        Returns:
            Dict of scalars: `generator_loss` and `discriminator_loss`, which the players minimise,
            and what else is worth logging. Under `"round"`, the `kgan.Round` that components with
            a state of their own look at after an update; a game that compiles none may leave it
            out. Augmentation and dynamics act in `play` and `view`.
        """
        round = self.play(real_images, labels, training)
        logs = self.loss.terms(round.real, round.shown)
        if round.shown is not round.fake:
            logs["generator_loss"] = self.loss.terms(round.real, round.fake)["generator_loss"]
        for player, term in round.regularization.items():
            logs[f"{player}_loss"] += term
        for name, player, term in self._terms(round):
            logs[name] = term
            logs[f"{player}_loss"] += term
        return {
            **logs,
            "real_score": ops.mean(self.loss.probability(_float32(round.real["score"]))),
            "fake_score": ops.mean(self.loss.probability(_float32(round.fake["score"]))),
            "round": round,
        }

    def _terms(self, round):
        """Yields name, player and value of each auxiliary loss and penalty."""
        for auxiliary in self.auxiliary_losses:
            for player in auxiliary.players:
                # Old fakes have no latents, so a loss that needs them looks at the new ones.
                is_old = player == "discriminator" and "latents" not in auxiliary.needs
                fake = round.shown if is_old else round.fake
                term = getattr(auxiliary, player)(round.real, fake)
                yield f"{player}_{auxiliary.name}", player, auxiliary.weight * _float32(term)
        for penalty in self._weighted_penalties:
            step = getattr(self, f"{penalty.player}_optimizer").iterations
            yield penalty.name, penalty.player, penalty(round, step)

    def play(self, real_images, labels, training=True):
        """Plays one round, without judging who won.

        Args:
            real_images: float32 `(batch, …)` in [-1, 1].
            labels: int32 `(batch,)` or float32 `(batch, condition_dim)`; None without condition.
            training: bool, False draws latents that do not disturb training, and shows the
                discriminator images that are not augmented. Defaults to True.

        Returns:
            `kgan.Round`.
        """
        seed = self._training_seeds if training else self._evaluation_seeds
        latents = self.sample_latents(ops.shape(real_images)[0], training)
        fake_images = self.synthesize(latents, labels, training)
        regularization = {"generator": total(self.generator.losses)}
        if training:
            for augmentation in self.augment:
                real_images = augmentation.replace_reals(real_images, fake_images, seed)
        if training and self._judges_in_one_pass():
            real, fake = self._view_both(real_images, fake_images, labels)
            regularization["discriminator"] = total(self.discriminator.losses)
        else:
            real = self.view(real_images, labels, training)
            # Layers forget the activity losses of one call at the next; weight losses count once.
            activity = total(_activity_losses(self.discriminator))
            fake = self.view(fake_images, labels, training)
            regularization["discriminator"] = activity + total(self.discriminator.losses)
        shown = fake = {**fake, "latents": latents}
        for dynamics in self.dynamics if training else ():
            weights = dynamics.weigh(fake["score"])
            if weights is not None:
                fake = {**fake, "weights": weights}
            images, shown_labels = dynamics.show(shown["images"], shown.get("labels"), seed)
            if images is not shown["images"]:
                shown = self.view(ops.stop_gradient(images), shown_labels, training)
        others = {"shown": shown, "regularization": regularization}
        return self._round(real, fake, labels, labels, training, **others)

    def _round(self, real, fake, labels, judged_beside, training, **others):
        """Returns the round of these views, whose functions do to others what was done to them.

        Args:
            real: dict, the view of the reals.
            fake: dict, the view of the fakes.
            labels: what the generator is given beside latents, or None.
            judged_beside: what the discriminator is given beside images, or None.
            training: bool.
            **others: further fields of `kgan.Round`.
        """
        score = functools.partial(
            self._score_for_penalties, labels=judged_beside, training=training
        )
        draw = functools.partial(self._synthesize_for_penalties, labels=labels, training=training)
        return Round(
            real=real,
            fake=fake,
            score=score,
            synthesize=draw,
            seed=self._training_seeds if training else self._evaluation_seeds,
            generator=self.generator,
            discriminator=self.discriminator,
            **others,
        )

    def view(self, images, labels=None, training=False):
        """Returns what there is to know of these images; see `kgan.Round`."""
        said = self._judge(self._augmented(images, training), labels, training)
        return self._view_of(images, labels, training, said)

    def _view_of(self, images, labels, training, said):
        known = {"labels": labels} if self.is_conditional else {}
        if training:
            known["seed"] = self._training_seeds
        return {"images": images, **known, **said}

    def _judges_in_one_pass(self):
        """Whether reals and fakes go through the discriminator together.

        A larger batch is computed faster. But the generator's gradient would go back through the
        reals too, so this is for the discriminator's own turns.
        """
        is_its_turn = getattr(_turn, "players", None) == ("discriminator",)
        return is_its_turn and all(map(_is_by_example, self.discriminator._flatten_layers()))

    def _view_both(self, real_images, fake_images, labels):
        """Returns the views of reals and fakes in training, from one pass."""
        both = (real_images, fake_images)
        images = ops.concatenate([self._augmented(one, training=True) for one in both])
        twice = None if labels is None else ops.concatenate([labels, labels])
        said = self._judge(images, twice, training=True)
        n = ops.shape(real_images)[0]
        halves = [_rows(said, part) for part in (slice(n), slice(n, None))]
        pairs = zip(both, halves, strict=True)
        return [self._view_of(one, labels, True, half) for one, half in pairs]

    def _augmented(self, images, training):
        """Returns images as the discriminator is shown them."""
        for augmentation in self.augment if training else ():
            images = augmentation(images, self._training_seeds)
        return images

    def _judge(self, images, labels, training):
        """Returns all that the discriminator says of images, as a dict."""
        said, features = self._observed(self._inputs(images, labels), training=training)
        said = _by_name(said)
        return {**said, "features": features} if features else said

    def _score_for_penalties(self, images, labels, training):
        with precision.without_float16(self.discriminator), paused():
            said = self._judge(self._augmented(images, training), labels, training)
            return _float32(said["score"])

    def _synthesize_for_penalties(self, latents, labels, training):
        with precision.without_float16(self.generator), paused():
            return self.synthesize(latents, labels, training)

    def synthesize(self, latents, labels=None, training=False):
        """Returns the generator's images for these latents, as float32."""
        images = self.run_network("generator", self._inputs(latents, labels), training)
        return ops.cast(images, "float32")

    def run_network(self, name, inputs, training=False):
        """Returns what a network makes of inputs, in the memory that `compile` was told.

        Args:
            name: str, of `networks`, not `"discriminator"`.
            inputs: what the network takes.
            training: bool. Defaults to False.
        """
        network = self._rematerialized.get(name, self.networks[name])
        return network(inputs, training=training)

    def score(self, images, labels=None, training=False):
        """Returns the discriminator's scores of these images."""
        said = self.discriminator(self._inputs(images, labels), training=training)
        return _by_name(said)["score"]

    def sample_latents(self, n, training=True):
        """Draws `n` latents for this replica: its share of the global batch's."""
        seeds = self._training_seeds if training else self._evaluation_seeds
        return replicas.share(lambda total: self.draw_latents(total, seeds), n)

    def draw_latents(self, n, seed):
        """Returns `n` latents of this game's distribution, which a game may override.

        Args:
            n: int or scalar tensor, how many.
            seed: int or `keras.random.SeedGenerator`.

        Returns:
            Float tensor `(n, latent_dim)`.
        """
        shape = (n, self.latent_dim)
        if self.latent_distribution == "normal":
            return keras.random.normal(shape, seed=seed)
        return keras.random.uniform(shape, -1.0, 1.0, seed=seed)

    # --- The step -------------------------------------------------------------------------------

    def observe(self, observer):
        """Shows an observer every update of one `fit`, and none after it.

        A callback calls this in `on_train_begin`.

        Args:
            observer: `kgan.component.Observer`.
        """
        with self.scope():
            observer.variables = []
            observer.build(self)
        self._observers.append(observer)
        self.make_train_function(force=True)

    def fit(self, *args, **kwargs):
        """Keras's `fit`; what observed it, looks away at its end, however that came."""
        try:
            return super().fit(*args, **kwargs)
        finally:
            if self._observers:
                self._observers, self.train_function = [], None

    def play_step(self, data):
        """Moves the discriminator `discriminator_steps` times and the generator once."""
        images, labels = self.unpack(data)
        for dynamics in self.dynamics:
            dynamics.before_step(self)
        *earlier, last = self._turns(images, labels)
        alternating = self.updates == "alternating"
        for turn in [*earlier, last] if alternating else earlier:
            logs = self._descend(("discriminator",), *turn)
        if alternating:
            answer = self._descend(("generator",), *last)
            logs |= {name: answer[name] for name in self.generator_log_names()}
        else:
            logs = self._descend(("discriminator", "generator"), *last)
        self._synchronize_statistics()
        self._update_average(ops.shape(images)[0])
        return self._track({**logs, **self._state_logs()}, ops.shape(images)[0])

    def _descend(self, players, images, labels):
        """Plays a round, and moves players as it tells them to; returns its logs."""
        _turn.players = players
        try:
            # All gradients before any step: the players answer each other as they were.
            with shared_weights():
                if self.micro_batches == 1:
                    logs, gradients = self.differentiate(players, images, labels)
                else:
                    logs, gradients = micro_batches.differentiate(self, players, images, labels)
        finally:
            _turn.players = None
        logs, round = _split(logs)
        for player in players:
            self._move(player, gradients[player], round)
        return logs

    def objective(self, player, logs):
        """Returns what a replica differentiates for a player.

        Optimizers sum over replicas, and may scale losses for float16.

        Args:
            player: `"generator"` or `"discriminator"`.
            logs: dict, what `compute_losses` returns.
        """
        loss = logs[f"{player}_loss"] / backend.num_replicas()
        return getattr(self, f"{player}_optimizer").scale_loss(loss)

    def _move(self, player, gradients, round):
        """Moves a player along its gradients, and tells the components."""
        slowed = [(v, v.value * 1, pace) for v, pace in self._paces(player)]
        self.apply(player, gradients)
        if slowed:
            shortened = [before + pace * (v.value - before) for v, before, pace in slowed]
            replicas.assign([variable for variable, _, _ in slowed], shortened)
        for component in self._components:
            if component.player == player:
                component.after_update(round)
        for observer in self._observers:
            observer.observe(player, gradients, round)

    def _paces(self, player):
        """Yields the variables whose update the dynamics shorten, and by which factor."""
        for variable in getattr(self, f"{player}_variables"):
            paces = [dynamics.pace(player, variable) for dynamics in self.dynamics]
            paces = [pace for pace in paces if pace is not None]
            if paces:
                yield variable, math.prod(paces)

    def generator_log_names(self):
        """Returns the logs that belong to the generator's update."""
        terms = [f"generator_{a.name}" for a in self.auxiliary_losses if "generator" in a.players]
        penalties = [p.name for p in self._weighted_penalties if p.player == "generator"]
        return ["generator_loss", *terms, *penalties]

    def _state_logs(self):
        return {name: value for c in self._components for name, value in c.state_logs().items()}

    def _turns(self, images, labels):
        """Slices the batch into one equal part for each discriminator step."""
        turns = self.discriminator_steps
        end = slice(self._whole_packs(images, self.parts_per_step))
        # Every k-th image: k turns see the same images however many replicas share the batch.
        dealt = _dealt(images[end], turns)
        if labels is None:
            return [(part, None) for part in dealt]
        return list(zip(dealt, _dealt(_rows(labels, end), turns), strict=True))

    @property
    def parts_per_step(self):
        """Int, how many equal parts of a batch are played in a step."""
        return self.discriminator_steps * self.micro_batches

    def _whole_packs(self, images, parts=1):
        """Returns how many images of a batch make whole packs in each of these parts."""
        self.check_batch_size(images.shape[0], parts)
        n, least = ops.shape(images)[0], parts * self.images_per_score
        if images.shape[0] is not None:
            return n // least * least
        message = (
            f"A batch needs at least {least} images, discriminator_steps times micro_batches "
            "times the pack's."
        )
        return backend.assert_in_graph(n >= least, message, n, n // least * least)

    def check_batch_size(self, n, parts):
        """Raises ValueError if `n` images, where that is known, do not make this many parts."""
        pack = self.images_per_score
        if n is not None and n < parts * pack:
            raise ValueError(
                f"discriminator_steps={self.discriminator_steps}, micro_batches="
                f"{self.micro_batches}: a batch needs at least {parts * pack} images, {pack} for "
                "each part; drop_remainder=True leaves out a last batch that is smaller. "
                f"Received: a batch of {n}"
            )

    def _synchronize_statistics(self):
        """Gives all replicas the same batch-norm statistics: the mean of what each has seen."""
        weights = [w for one in self.networks.values() for w in one.non_trainable_weights]
        statistics = [v for v in weights if _is_float(v)]
        if backend.num_replicas() == 1 or not statistics:
            return
        means = replicas.mean([ops.copy(statistic) for statistic in statistics])
        replicas.assign(statistics, means)

    def _update_average(self, batch_size):
        """Moves the averaged generator towards the generator."""
        batch_size = batch_size * backend.num_replicas()
        self.images_seen.assign(self.images_seen + ops.cast(batch_size, "int"))
        if self.averaged_generator is self.generator:
            return
        half_life = ops.minimum(
            float(self.average_half_life_images),
            self.average_warm_up * ops.cast(self.images_seen, "float32"),
        )
        decay = 0.5 ** (ops.cast(batch_size, "float32") / half_life)
        averages, weights = self.averaged_generator.weights, self.generator.weights
        moved = [
            average * decay + weight * (1 - decay) if _is_float(average) else weight.value
            for average, weight in zip(averages, weights, strict=True)
        ]
        replicas.assign(averages, moved)

    def unpack(self, data):
        """Returns the images and labels of a batch, checked against what the players take."""
        images, labels, weights = keras.utils.unpack_x_y_sample_weight(data)
        if weights is not None:
            raise ValueError("A GAN takes no sample weights. Received: sample_weight in the data")
        batches.check_images(images, self.image_shape)
        if self.is_conditional:
            labels = batches.check_labels(labels, self.num_classes, self.condition_dim)
        return ops.cast(images, "float32"), labels if self.is_conditional else None

    # --- Logs -----------------------------------------------------------------------------------

    @property
    def metrics(self):
        """The running means that `fit` shows: no phantom `loss` of Keras's own."""
        return list(self._trackers.values())

    def _track(self, logs, batch_size):
        if logs.keys() != self._trackers.keys():
            raise ValueError(
                f"compute_losses must return the keys {sorted(self._trackers)}, as log_names() "
                f"lists them. Received: {sorted(logs)}"
            )
        for name, value in logs.items():
            self._trackers[name].update_state(value, sample_weight=batch_size)
        return {name: tracker.result() for name, tracker in self._trackers.items()}

    def judge_step(self, data):
        """Plays one round without learning; returns its logs, and what metrics compare or None."""
        images, labels = self.unpack(data)
        end = self._whole_packs(images)
        images, labels = images[:end], _rows(labels, slice(end))
        logs, _ = _split(self.compute_losses(images, labels, training=False))
        logs = self._track({**logs, **self._state_logs()}, ops.shape(images)[0])
        if not self._evaluation_metrics:
            return logs, None
        latents = self.sample_latents(ops.shape(images)[0], training=False)
        fake_images = self(self._inputs(latents, labels if self.is_conditional else None))
        known = labels
        reads = any(getattr(metric, "reads", None) for metric in self._evaluation_metrics)
        if not self.is_conditional and reads:
            # What reads reals compares with labels that an unconditional GAN does not take.
            known = keras.utils.unpack_x_y_sample_weight(data)[1]
            known = None if known is None else known[:end]
        return logs, (images, fake_images, known)

    def show_metrics(self, images, fake_images, labels):
        """Shows the metrics that `compile` was given a batch of reals and of averaged fakes."""
        for metric in self._evaluation_metrics:
            # Those of kgan.metrics look at more than two batches of images.
            if hasattr(metric, "update_from"):
                metric.update_from(self, images, fake_images, labels)
            else:
                metric.update_state(images, fake_images)

    def evaluate(self, *args, callbacks=None, return_dict=False, **kwargs):
        """Keras's `evaluate`, with the same latents each time.

        The metrics that `compile` was given compare the reals with fakes of the averaged
        generator; their results follow the losses.

        Args:
            *args: as in Keras.
            callbacks: as in Keras.
            return_dict: bool, whether to return a dict. Defaults to False: a list.
            **kwargs: as in Keras.
        """
        self._evaluation_seeds.state.assign([self.seed, 0])
        with self.scope():
            for metric in self._evaluation_metrics:
                metric.reset_state()
                if hasattr(metric, "build_from"):
                    metric.build_from(self)
        results = _Results(self._evaluation_metrics)
        if callbacks is None or isinstance(callbacks, (list, tuple)):
            callbacks = [results, *(callbacks or ())]  # fit's validation has a list of its own
        logs = super().evaluate(*args, callbacks=callbacks, return_dict=True, **kwargs)
        logs.update(results.get())
        return logs if return_dict else list(logs.values())

    # --- Samples --------------------------------------------------------------------------------

    def call(self, inputs, training=False):
        """Returns the averaged generator's images, float32 in [-1, 1].

        Args:
            inputs: float tensor `(batch, latent_dim)`, or `[latents, labels]` if conditional.
            training: bool, ignored: the averaged generator never trains. Defaults to False.
        """
        latents = inputs[0] if self.is_conditional else inputs
        if latents.shape[-1] != self.latent_dim:
            raise ValueError(
                f"Latents must have shape (batch, latent_dim={self.latent_dim}). "
                f"Received: {tuple(latents.shape)}"
            )
        return ops.cast(self.averaged_generator(inputs, training=False), "float32")

    def generate(self, n, labels=None, seed=None, batch_size=128, rows=slice(None)):
        """Draws samples from the averaged generator.

        Args:
            n: int >= 1, how many.
            labels: what to draw, if conditional: one class number for all, or an array `(n,)`,
                or float `(n, condition_dim)`. Defaults to classes drawn uniformly.
            seed: int or None; the same seed draws the same samples. Defaults to a new one.
            batch_size: int >= 1, how many are computed at once. Defaults to 128.
            rows: slice, which of the samples to compute: `generate(8, seed=1, rows=slice(2, 4))`
                is `generate(8, seed=1)[2:4]`. Defaults to all.

        Returns:
            float32 NumPy array `(n, *image_shape)` in [-1, 1].

        Raises:
            ValueError: if a label is out of range, has another shape, or is given to an
                unconditional GAN.
        """
        if not (isinstance(n, int) and n >= 1):
            raise ValueError(f"n must be an int of 1 or more. Received: {n!r}")
        seed = random.randint(0, 2**31 - 1) if seed is None else int(seed)
        latents = ops.convert_to_numpy(self.draw_latents(n, seed))
        labels = batches.labels_for(n, labels, seed, self.num_classes, self.condition_dim)
        inputs = keras.tree.map_structure(lambda x: x[rows], self._inputs(latents, labels))
        return self.predict(inputs, batch_size=batch_size, verbose=0)

    # --- Saving ---------------------------------------------------------------------------------

    def get_config(self):
        """Returns the arguments that make an equal, untrained GAN."""
        return {
            **super().get_config(),
            **{k: keras.saving.serialize_keras_object(v) for k, v in self.networks.items()},
            "num_classes": self.num_classes,
            "condition_dim": self.condition_dim,
            "latent_dim": self.latent_dim,
            "latent_distribution": self.latent_distribution,
            "average_half_life_images": self.average_half_life_images,
            "average_warm_up": self.average_warm_up,
            "seed": self.seed,
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """Makes the GAN that `get_config` described."""
        players = {
            name: keras.saving.deserialize_keras_object(config[name], custom_objects)
            for name in cls.roles
        }
        return cls(**{**config, **players})

    def get_compile_config(self):
        """Returns the arguments of `compile`, so that a loaded GAN trains on."""
        return keras.saving.serialize_keras_object(self._compile_arguments) if self.compiled else {}

    def compile_from_config(self, config):
        """Compiles as `get_compile_config` described."""
        self.compile(**keras.saving.deserialize_keras_object(config))

    def save_own_variables(self, store):
        """Saves the random state too, so that training goes on as if never interrupted."""
        super().save_own_variables(store)
        for name, state in self._states().items():
            store[name] = state

    def load_own_variables(self, store):
        """Restores what `save_own_variables` saved."""
        weights = {key: store[key] for key in store.keys() if "state_" not in key}
        super().load_own_variables(weights)
        for name, state in self._states().items():
            # Weights may come from a run that had other components: theirs start anew.
            if name not in store.keys():
                continue
            if tuple(store[name].shape) != tuple(state.shape):
                warnings.warn(
                    f"{name} is of another size in the file, so it starts anew. Received: "
                    f"{tuple(store[name].shape)}, expected {tuple(state.shape)}",
                    stacklevel=2,
                )
                continue
            state.assign(store[name])

    def _states(self):
        """Every seed generator's state, and those of the components, by the names they keep."""
        seeds = [v for v in self.non_trainable_variables if v.name == "seed_generator_state"]
        states = {f"random_state_{i}": state for i, state in enumerate(seeds)}
        for component in self._components:
            for i, variable in enumerate(component.variables):
                states[f"component_state_{component.name}_{i}"] = variable
        return states

    def export(self, path, format="tf_saved_model", **kwargs):
        """Writes the averaged generator for serving; see `kgan.export.export_gan`.

        Args:
            path: str, a folder for the SavedModel's numbered versions, or a file for the others.
            format: `"tf_saved_model"`, `"onnx"` or `"litert"`. Defaults to `"tf_saved_model"`.
            **kwargs: passed to the format's exporter.
        """
        from kgan.export import export_gan

        return export_gan(self, path, format=format, **kwargs)

    def save_to_preset(self, folder):
        """Writes what draws samples, without optimizer state; see `kgan.presets.save`.

        Args:
            folder: str or path, for `config.json`, `metadata.json` and `model.weights.h5`.
        """
        from kgan import presets

        presets.save(self, folder)

    @classmethod
    def from_preset(cls, preset):
        """Returns a trained GAN; see `kgan.presets.load`.

        Args:
            preset: str or path: `"zoo/NAME"`, `"hf://USER/REPO"`, or a folder that
                `save_to_preset` has written.
        """
        from kgan import presets

        return presets.load(preset, cls)


def _input_width(generator):
    """Returns the width of the latents that this generator takes."""
    inputs = getattr(generator, "inputs", None)
    width = inputs[0].shape[-1] if inputs else getattr(generator, "latent_dim", None)
    if width is None:
        raise ValueError(
            "The generator does not say how wide its latents are (it has no Keras input and no "
            f"attribute latent_dim): give GAN(latent_dim=…). Received: {generator!r}"
        )
    return width


def _check_compile_arguments(
    updates, discriminator_steps, rematerialize, generator_optimizer, discriminator_optimizer
):
    if updates not in UPDATES:
        raise ValueError(f"updates must be one of {UPDATES}. Received: {updates!r}")
    if not (isinstance(discriminator_steps, int) and discriminator_steps >= 1):
        raise ValueError(
            f"discriminator_steps must be an int of 1 or more. Received: {discriminator_steps}"
        )
    if not isinstance(rematerialize, bool):
        raise TypeError(f"rematerialize must be a bool. Received: {rematerialize!r}")
    if isinstance(generator_optimizer, keras.optimizers.Optimizer) and (
        generator_optimizer is discriminator_optimizer
    ):
        raise TypeError(
            "Each player needs an optimizer of its own, since an optimizer keeps moments for "
            f"its own variables. Received twice: {generator_optimizer!r}"
        )


def _rows(rows, part):
    """Returns a part of the labels, or of each tensor in what a game takes or makes of them."""
    return None if rows is None else keras.tree.map_structure(lambda x: x[part], rows)


def _dealt(rows, k):
    """Returns k equal parts, each of every k-th row; of a tree of tensors, trees."""
    tensors = [
        # A slice with a step copies number by number on CPU, ten times as slowly.
        ops.unstack(ops.reshape(x, (-1, k, *ops.shape(x)[1:])), k, axis=1)
        for x in keras.tree.flatten(rows)
    ]
    return [keras.tree.pack_sequence_as(rows, part) for part in zip(*tensors, strict=True)]


def _is_by_example(layer):
    """Whether a layer is known to treat each example by itself, and to add no losses."""
    home = type(layer).__module__.split(".")[0]
    is_known = home in ("keras", "kgan") and not isinstance(layer, OF_OTHERS)
    reads_batch = getattr(layer, "reads_batch", False)
    is_batch_norm = isinstance(layer, keras.layers.BatchNormalization)
    regularizes = getattr(layer, "activity_regularizer", None) is not None
    # A graph may have operations that are no layers: in kgan's own, none of them is over the batch.
    levels = {} if home == "kgan" else getattr(layer, "_nodes_by_depth", {})
    operations = [node.operation for level in levels.values() for node in level]
    are_layers = all(isinstance(one, keras.layers.Layer) for one in operations)
    return is_known and are_layers and not (reads_batch or is_batch_norm or regularizes)


def _listed(components):
    """Returns a list of what may also be given alone, or not at all."""
    if components is None:
        return []
    return list(components) if isinstance(components, (list, tuple)) else [components]


def _check_built(networks):
    for name, network in networks.items():
        if not network.built:
            raise ValueError(
                f"The {name} has no variables yet: begin it with keras.Input(shape), or call it "
                f"once. Received: {network!r}"
            )


def _images_per_score(discriminator):
    """Returns how many images the discriminator judges together."""
    layers = discriminator._flatten_layers()
    return math.prod(layer.size for layer in layers if isinstance(layer, Pack))


def _components(arguments):
    """Returns all that `compile` was given beside the loss."""
    return [component for kind in KINDS for component in arguments[kind]]


def shapes_said(said):
    """Returns the shape of everything a discriminator says, by name; a lone score is `"score"`."""
    return {name: tuple(x.shape) for name, x in _by_name(said).items()}


def _by_name(said):
    return said if isinstance(said, dict) else {"score": said}


def _check_names(components):
    names = [component.name for component in components]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(
            "Two components share a name, under which they are logged and saved: give one of them "
            f"another (name=…). Received: {twice}"
        )


def _observed(discriminator, layers, rematerialize):
    """Returns a function of the discriminator's inputs to what it says and what layers compute."""
    if not layers:
        called = Rematerialized(discriminator) if rematerialize else discriminator
        return lambda inputs, training: (called(inputs, training=training), {})
    functional = graph_of(discriminator)
    if functional is None:
        raise ValueError(
            "Features of layers can only be read off a Functional or Sequential discriminator "
            "without a `call` of its own. "
            f"Received: layers={layers}, discriminator={discriminator!r}"
        )
    # A layer may stand in several models: what counts is what it computes in this one.
    nodes = [node for level in functional._nodes_by_depth.values() for node in level]
    known = {node.operation.name: node.outputs[0] for node in nodes}
    unknown = [name for name in layers if name not in known]
    if unknown:
        raise ValueError(
            f"The discriminator has the layers {list(known)}. Received: layers={unknown}"
        )
    inputs = functional.inputs
    said = functional.output if isinstance(functional.output, dict) else functional.outputs[0]
    features = {name: known[name] for name in layers}
    model = keras.Model(inputs if len(inputs) > 1 else inputs[0], (said, features))
    return Rematerialized(model, losses_of=discriminator) if rematerialize else model


class _RunningMean(keras.metrics.Mean):
    """A mean that no file keeps: each epoch begins it anew, and only all workers can read it."""

    def save_own_variables(self, store):
        pass

    def load_own_variables(self, store):
        pass


class _Results(keras.callbacks.Callback):
    """Puts the results of metrics into the logs that Keras prints after an evaluation."""

    def __init__(self, metrics):
        super().__init__()
        self._metrics = metrics
        self._results = None

    def on_test_end(self, logs=None):
        logs.update(self.get())

    def get(self):
        if self._results is None:
            results = [(metric.name, metric.result()) for metric in self._metrics]
            dicts = [x if isinstance(x, dict) else {name: x} for name, x in results]
            self._results = {name: float(x) for one in dicts for name, x in one.items()}
        return self._results


class _MissingRound:
    """Stands for the round of a game that does not tell it."""

    def __getattr__(self, name):
        raise ValueError(
            "A component looks at the round, so compute_losses must return it under 'round', as "
            f"GAN.play makes it. Received: no 'round', when asked for its {name!r}"
        )


def _split(logs):
    """Returns the scalars of a game's losses, and the round that they came from."""
    scalars = {name: value for name, value in logs.items() if name != "round"}
    return scalars, logs.get("round") or _MissingRound()


def _float32(x):
    return ops.cast(x, "float32")


def _activity_losses(network):
    """Returns the losses that a network's last call added, without those of its weights."""
    weight_losses = sum(v.regularizer is not None for v in network.trainable_variables)
    return network.losses[: len(network.losses) - weight_losses]


def total(terms):
    """Returns the sum of losses that layers added, in float32; 0 of none."""
    return sum(ops.cast(term, "float32") for term in terms)


def _is_float(variable):
    return keras.backend.is_float_dtype(variable.dtype)
