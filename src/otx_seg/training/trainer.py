"""The training loop: optimise, schedule, validate, save, resume, stop."""

from __future__ import annotations

import functools
import logging
import math
import time
from collections.abc import Callable
from contextlib import closing, nullcontext, suppress
from dataclasses import asdict, replace
from typing import Any

import torch
from torch import Tensor

from otx_seg.algorithms import Algorithm, TrainProgress
from otx_seg.datasets.loading.loader_processes import LoadingError, lost_in_words
from otx_seg.errors import OtxError
from otx_seg.models.network import SegmentationNetwork
from otx_seg.models.weight_average import WeightAverage
from otx_seg.processes import processes_here
from otx_seg.runtime.graph_shape import first_line
from otx_seg.training.best_networks import BestNetworks
from otx_seg.training.checked_state import check_fit, unusable
from otx_seg.training.checkpoint import TRAIN
from otx_seg.training.context import TrainContext
from otx_seg.training.devices import choose_workers, largest, prepare_algorithm, start_accelerator, wait_for_all
from otx_seg.training.ending import rescued
from otx_seg.training.finishing import Finishing
from otx_seg.training.frozen_start import FrozenStart
from otx_seg.training.kept_network import KeptNetwork
from otx_seg.training.loggers import INTERVAL, Loggers, MetricsFile, StepReport, TrainResult, ValidationReport
from otx_seg.training.loss_guard import LossGuard
from otx_seg.training.micro_batches import Batch, micro_batches
from otx_seg.training.optimizer import clear_frozen_gradients, set_rates
from otx_seg.training.out_of_memory import is_out_of_memory, smaller_batch
from otx_seg.training.schedule import LearningRate
from otx_seg.training.state import VERSION, TrainState, random_state, restore_random_state, write_state
from otx_seg.training.stopping import EarlyStopping, InterruptedRunError, Stopping, StopRequest
from otx_seg.training.validation import Validator
from otx_seg.training.views import open_training_cache, open_views
from otx_seg.words import count
from otx_seg.workspace.command_line import resume_command
from otx_seg.workspace.run_folder import FolderGoneError, RunFolder

logger = logging.getLogger(__name__)

CHECKPOINT_INTERVAL_S = 60.0


class Trainer:
    """One training run of an algorithm on one data set.

    Args:
        algorithm: an `Algorithm` that is an ``nn.Module``.
        context: template, data, folder and the like.
        origin: how the weights began, recorded in `weights.pth`.
        command: the verb whose run this is, which continues with it when it was interrupted.
        stopping: when the training is over before its time; it is asked before the first step as well. None: early
            stopping as the template says, and no validation before the first step.
    """

    def __init__(
        self,
        algorithm: Algorithm,
        context: TrainContext,
        origin: str,
        command: str = TRAIN,
        stopping: Stopping | None = None,
    ) -> None:
        self.algorithm: Any = algorithm
        data, template, run, self.origin = context.data, context.template, context.run, origin
        self.context, self.data, self.template, self.run = context, data, template, run
        self.command, self.validate_first = command, stopping is not None
        self.parameters = template.hyper_parameters.learning_parameters
        self.accelerator = start_accelerator(self.parameters.precision, algorithm)
        self.model, self.optimizer, self.groups = prepare_algorithm(algorithm, template, self.accelerator)
        self._trained = [parameter for parameter in self.model.parameters() if parameter.requires_grad]
        network: Any = algorithm.deployable()
        frozen_steps, processes = self.parameters.frozen_backbone_iters, self.accelerator.num_processes
        self.frozen_start = FrozenStart(network.network.backbone, frozen_steps, processes)
        decay = self.parameters.ema_keep
        ramp = self.parameters.ema_ramp
        self.average = WeightAverage(algorithm.deployable(), decay, ramp) if decay > 0 else None
        self.workers = choose_workers(self.parameters, processes_here())
        self.cache = open_training_cache(data, template) if context.cache is None else context.cache
        self.state = TrainState(batch_size=self.parameters.batch_size)
        self.loader = self.open_loader()
        warmup_steps = min(self.parameters.learning_rate_warmup_iters, self.total_steps // 2)
        self.learning_rate = LearningRate(template, warmup_steps)
        stopping = stopping or EarlyStopping(template, warmup_steps, data.scorable)
        settles = self.average is not None and self.learning_rate.decays and not self.validate_first
        self.kept = KeptNetwork(context, origin, self.accelerator)
        scorable = data.val is not None and data.scorable
        number = self.parameters.average_best if scorable else 0
        self.best = BestNetworks(run, number, self.accelerator.is_main_process)
        self.validator = Validator(context, self.kept, self.best, self.accelerator, self.workers, stopping, settles)
        self.finishing = Finishing(context, self.accelerator, self.workers, self.validator)
        on_gpu = self.accelerator.device.type != "cpu"
        self.loss_guard = LossGuard(INTERVAL if on_gpu else 1, run.checkpoint)
        self.loggers = Loggers([context.loggers, MetricsFile(run.metrics)] if self.accelerator.is_main_process else [])
        self._started = self._saved = time.monotonic()
        self.half_way = False  # through a step, so that the state is neither that before nor that behind it

    def open_loader(self) -> Any:
        """A loader of the images of each step."""
        images = self.state.batch_size * self.parameters.accumulate
        how = (self.template, images, self.workers, self.context.seed)
        share = (self.accelerator.process_index, self.accelerator.num_processes)
        return open_views(self.algorithm.views, self.data, *how, *share, self.cache)

    @property
    def total_steps(self) -> int:
        """Optimisation steps if neither time nor early stopping ends the run sooner."""
        return len(self.loader) * self.parameters.num_iters

    @property
    def elapsed_s(self) -> float:
        return self.state.elapsed_s + time.monotonic() - self._started

    @property
    def progress(self) -> float:
        """Share of the run that has passed, 0 to 1, equal on all processes."""
        by_steps = (self.state.epoch + self.state.batch / len(self.loader)) / self.parameters.num_iters
        if self.parameters.max_minutes == 0:
            return min(by_steps, 1.0)
        # The last validation belongs to the budget too, and what follows.
        validation_s = self.validator.pace.expected_s(self.state.step, self.elapsed_s)
        validation_s *= 1 + self.finishing.in_validations
        budget_s = max(self.parameters.max_minutes * 60 - validation_s, 1.0)
        return min(max(by_steps, largest(self.accelerator, self.elapsed_s / budget_s)), 1.0)

    # ------------------------------------------------------------------ the loop

    def fit(self, until: float = 1.0, steps: float = math.inf) -> TrainResult:
        """Train to the end, or until this share of the run, 0 to 1, has passed, or so many steps are made in all;
        another process can `resume` it.

        Raises:
            OtxError: interrupted by a signal, the loss or weights are not finite, memory ran out, the disk is full, or
                the folder of the run is gone (FolderGoneError).
            DataError: an image or a mask cannot be read.
        """
        self._until, self._until_step = until, steps
        ended = None
        try:
            self.loggers.on_parameters(self.context.parameters())
            self.loggers.on_begin(self.state.step)
            self._train()
            at, kept = self.state, self.kept
            where = (at.best_epoch, at.begun_epochs, at.step, self.elapsed_s)
            why = (at.ended, kept.choice, self.validator.metric, kept.averaged)
            result = TrainResult(
                self.run.weights, kept.scores(), *where, *why, counted=kept.counted(), temperature=kept.temperature
            )
            ended = result if at.ended else None
        finally:
            self.loggers.on_end(ended)
        return result

    def _train(self) -> None:
        with StopRequest() as stop_request, closing(self):
            if not self.state.step:
                self.save_checkpoint()  # from here on a killed run can continue
                if self.validate_first and self.state.best_score < 0:
                    if self._validate():
                        self.state.ended = f"{self.validator.stopping.reason}, without training"
                    self.save_checkpoint()
            while self._is_unfinished():
                try:
                    with lost_in_words(self.workers):
                        if self.state.ended:
                            self._finish()
                        else:
                            self._epoch(stop_request)
                except Exception as problem:
                    if is_out_of_memory(problem):
                        self.halve_batch(problem)
                    elif stop_request.signal_name and not isinstance(problem, InterruptedRunError):
                        # A signal to the whole group of processes ends the loading workers first.
                        raise self._interrupted(stop_request) from stop_request.interruption
                    elif isinstance(problem, LoadingError):
                        with suppress(RuntimeError):  # PyTorch tells of each process that was killed
                            self.loader.close()
                        saved, go_on = self._saved_now()
                        raise LoadingError(f"{problem.what}. After {saved}", go_on) from problem
                    else:
                        raise
            if self.state.ended:
                self._find_lost()
            # Not only between steps: whoever asked for an end during the last validation does not want what follows.
            self._end_if_asked(stop_request)
            wait_for_all(self.accelerator)

    @property
    def is_over(self) -> bool:
        """Whether nothing is left to do."""
        return bool(self.state.ended) and self.finishing.done

    def _is_unfinished(self) -> bool:
        """Whether steps, a last validation, or what follows it remain."""
        at = self.state
        if at.ended:
            return not self.finishing.done
        if at.validated_step < at.step:
            return True
        return at.step < self._until_step and (self._until >= 1.0 or self.progress < self._until)

    def _pauses(self, progress: float) -> bool:
        """Whether to stop here, after this share of the run."""
        return progress >= self._until or self.state.step >= self._until_step

    def _was_scoring(self) -> bool:
        """Whether the run was interrupted while the last epoch was scored."""
        at = self.state
        return at.step > at.validated_step and at.step > 0 and at.batch == 0 and self._validation_due()

    def close(self) -> None:
        """End the loader's processes."""
        self.loader.close()

    def _epoch(self, stop_request: StopRequest) -> None:
        """Train to the end of the present epoch, or to where `fit` pauses."""
        state, progress = self.state, self.progress
        self.loader.batch_sampler.set_epoch(state.epoch, state.batch)
        batches = len(self.loader)
        self.model.train()
        begins = not state.step and progress < 1.0  # a share may be over before its first step
        for batch in self.loader if (begins or not self._pauses(progress)) and not self._was_scoring() else ():
            if (state.step + 1) % INTERVAL == 0 and self.accelerator.is_main_process:
                self.run.check_there()
            self.half_way = True
            self._step(batch, progress)
            state.step += 1
            state.batch += 1
            self.half_way = False
            progress = self.progress
            self._end_if_asked(stop_request)
            if self._pauses(progress):
                break
            if time.monotonic() - self._saved > CHECKPOINT_INTERVAL_S:
                self.save_checkpoint()
        if state.batch >= batches:
            state.epoch, state.batch = state.epoch + 1, 0
        if not self._pauses(progress) and not self._validation_due():
            return
        stalled = self._validate(last=progress >= 1.0)
        if progress >= 1.0:
            by_time = state.epoch < self.parameters.num_iters
            state.ended = "the time budget is used up" if by_time else f"{count(state.epoch, 'epoch')} done"
        elif stalled:
            state.ended = self.validator.stopping.reason
        self.save_checkpoint()

    def _finish(self) -> None:
        """What follows the last validation."""
        if self.accelerator.is_main_process:
            self.run.check_there()
        self._find_lost()
        at, before = self.state, self.kept.counts
        self.finishing.run(self.deployable(), at)
        found, scored = self.kept.counts, self.kept.scores()
        if found is not None and scored is not None and found is not before:
            how = (at.best_score, self.elapsed_s, tuple, found.per_image, self.validator.metric)
            self.loggers.on_validation(ValidationReport(at.step, at.begun_epochs, scored, *how))
        self.save_checkpoint()

    def _find_lost(self) -> None:
        """Write what was kept again, after the training, if its file is missing."""
        if not self.kept.is_lost():
            return
        kept = self.kept.write_again(self.run)
        what = "" if kept else ", from the end of the training"
        logger.warning("%s is missing: it is written again%s", self.run.weights, what)
        if not kept:
            self._validate()
            self.save_checkpoint()

    def _step(self, batch: Batch, progress: float) -> None:
        elapsed_s, step = self.elapsed_s, self.state.step + 1  # now, as `progress`: from both the duration is estimated
        rate = self.learning_rate.at(self.state.step, progress, self.state.epoch)
        losses = self.step(batch, progress, rate)
        report = StepReport(step, self.total_steps, self.state.epoch + 1, progress, {}, rate, elapsed_s)
        if self.accelerator.device.type == "cpu" or report.is_written:
            values = {name: float(value) for name, value in losses.items()}
            self.loggers.on_step(replace(report, losses=values))

    def step(self, batch: Batch, progress: float, rate: float) -> dict[str, Tensor]:
        """Optimise with one batch; the caller counts the step.

        Args:
            progress: share of the run that has passed, 0 to 1.
            rate: the learning rate.

        Returns:
            The sum that was minimised under ``"loss"``, and its parts, as scalars.

        Raises:
            DivergedError: the loss or its gradient is infinite or no number.
        """
        step = self.state.step + 1
        set_rates(self.optimizer, self.groups, rate)
        for view in batch.values():
            tensors = {k: v for k, v in view.items() if isinstance(v, Tensor)}
            view.update({k: v.to(self.accelerator.device, non_blocking=True) for k, v in tensors.items()})
        self.optimizer.zero_grad(set_to_none=True)
        self.frozen_start.begin(self.state.step, progress)
        losses = self._gradients(batch, progress)
        self.frozen_start.clear(self.state.step, progress)
        clear_frozen_gradients(self.optimizer, self.groups, self.state.epoch)
        if self.template.gradient_clip_norm is not None:
            norm = self.accelerator.clip_grad_norm_(self._trained, self.template.gradient_clip_norm)
            if norm is not None and self.accelerator.scaler is None:  # a scaler skips such steps by itself
                self.loss_guard.note(step, "norm of the gradient", norm, _files(batch))
        self.optimizer.step()
        self.algorithm.after_step()
        if self.average is not None:
            self.average.update(progress)
        return losses

    def _gradients(self, batch: Batch, progress: float) -> dict[str, Tensor]:
        """Add up the gradients of a step, over parts of its batch; the losses."""
        at = self.state
        total: dict[str, Tensor] = {}
        parts = micro_batches(batch, at.batch_size)
        for number, (share, part) in enumerate(parts, 1):
            # Processes exchange the sum, with the last part.
            with self.accelerator.no_sync(self.model) if number < len(parts) else nullcontext():
                losses = self.model(part, TrainProgress(at.epoch, at.step, progress))
                self.loss_guard.note(at.step + 1, "loss", losses["loss"], _files(part))
                self.accelerator.backward(losses["loss"] * share)
            for name, value in losses.items():
                total[name] = total.get(name, 0) + share * value.detach()
        return total

    # ------------------------------------------------------------------ bad luck

    def _end_if_asked(self, stop_request: StopRequest) -> None:
        if largest(self.accelerator, float(stop_request.signal_name is not None)):
            error = self._interrupted(stop_request)
            wait_for_all(self.accelerator)
            raise error from stop_request.interruption

    def _interrupted(self, stop_request: StopRequest) -> InterruptedRunError:
        saved, go_on = self._saved_now()
        by = stop_request.signal_name or "another process"
        return InterruptedRunError(f"interrupted by {by} after {saved}", go_on)

    def _saved_now(self) -> tuple[str, str]:
        """The number of steps, what is saved of them (everything, if the last one is over), and how to resume."""
        saved = "the run continues from its last checkpoint"
        if not self.half_way:
            self.save_checkpoint()
            saved = "everything is saved"
        return f"{count(self.state.step, 'step')}; {saved}", resume_command(self.command, self.run.path)

    def rescued(self, error: FolderGoneError, describe: Callable[[RunFolder], None]) -> OtxError:
        """Save a training whose folder is missing beside it, with its best network so far; the error to end with.

        A best network that was kept before the run was resumed was in the folder alone, and stays lost.

        Args:
            describe: writes into a folder what else is needed to continue.
        """

        def write(run: RunFolder) -> None:
            describe(run)
            self.kept.write_again(run)
            write_state(run, self.state_dict())

        return rescued(error, self.run, self.state.step, self.command, write)

    def halve_batch(self, error: Exception) -> None:
        """Go back to the start of the present epoch, with batches of half the size, after memory ran out.

        Raises:
            OutOfMemoryError: that is not possible or not wanted.
        """
        at = self.state
        at.batch_size = smaller_batch(at.batch_size, self.parameters, self.accelerator.num_processes, error)
        at.batch, self.half_way = 0, False
        self.optimizer.zero_grad(set_to_none=True)
        self.loss_guard.forget()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        self.loader = self.open_loader()
        logger.warning(
            "memory ran out: continuing with batches of %d from the start of epoch %d; the learning rate stays",
            at.batch_size,
            at.epoch + 1,
        )

    # ------------------------------------------------------------------ validation

    def _validation_due(self) -> bool:
        return bool(largest(self.accelerator, float(self.validator.is_due(self.state, len(self.loader)))))

    def _validate(self, last: bool = False) -> bool:
        """Validate the network and save it if it is to be kept; True when training should stop."""
        self.loss_guard.check()
        if self.accelerator.is_main_process:
            self.run.check_there()
        at = self.state
        network, metric = self.deployable(), self.validator.metric
        result = self.validator.validate(network, at, last)
        if result is not None:
            if self.data.scorable:
                self.learning_rate.observe(at.step, metric.of(result.scores))
            draw = functools.partial(self.validator.pictures, network)
            pictures = functools.cache(draw) if self.validator.improved else tuple
            report = ValidationReport(
                at.step,
                at.begun_epochs,
                result.scores,
                at.best_score,
                self.elapsed_s,
                pictures,
                result.per_image,
                metric,
            )
            self.loggers.on_validation(report)
        self.model.train()
        return self.validator.over

    def deployable(self) -> SegmentationNetwork:
        """The network to evaluate and save: the moving average if there is one."""
        network = self.average.module if self.average is not None else self.algorithm.deployable()
        assert isinstance(network, SegmentationNetwork)
        return network

    # ------------------------------------------------------------------ saving and resuming

    def save_checkpoint(self) -> None:
        """Write all that `resume` needs, atomically."""
        self.loss_guard.check()
        if self.state.step:
            self.loss_guard.check_weights(self.state.step, self._trained)
        if self.accelerator.is_main_process:
            self.run.check_there()
            write_state(self.run, self.state_dict())
            self.best.delete_others()
        self._saved = time.monotonic()

    def _parts(self) -> dict[str, Any]:
        """Everything with a state of its own, by its name in the checkpoint."""
        parts: dict[str, Any] = {
            "algorithm": self.algorithm,
            "optimizer": self.optimizer,
            "learning_rate": self.learning_rate,
            "early_stopping": self.validator.stopping,
        }
        if self.best.count:
            parts["best_networks"] = self.best
        if self.average is not None:
            parts["average"] = self.average.averaged
        if self.accelerator.scaler is not None:
            parts["scaler"] = self.accelerator.scaler
        return parts

    def state_dict(self) -> dict[str, Any]:
        """All of it as tensors and plain values; the template is among them to refuse continuing with another."""
        return {
            **{name: part.state_dict() for name, part in self._parts().items()},
            "position": {**asdict(self.state), "elapsed_s": self.elapsed_s},
            **self.kept.state_dict(),
            "finished": self.finishing.done,
            "random": random_state(),
            "template": self.template.as_dict(),
            "origin": self.origin,
            "command": self.command,
            "processes": self.accelerator.num_processes,
            "version": VERSION,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Put back what `state_dict` returned. Raises UsageError: it is that of another training."""
        parts, images = self._parts(), len(self.loader) * self.parameters.batch_size
        try:
            check_fit(state, parts, self.parameters, images, len(self.data.train.labels))
            for name, part in parts.items():
                part.load_state_dict(state[name])
            self.state = TrainState(**state["position"])
            self.kept.load_state_dict(state)
            self.finishing.done = state.get("finished", self.finishing.done)
            best = self.kept.scores()
            if best is not None:  # a checkpoint of an earlier version may hold a score of another rule
                self.state.best_score = self.validator.metric.of(best)
            self.validator.pace.duration_s = self.state.validation_s
            restore_random_state(state["random"])
        except (KeyError, RuntimeError, ValueError, TypeError, AttributeError) as error:
            raise unusable(self.run.checkpoint, first_line(error)) from error

    def resume(self, state: dict[str, Any]) -> None:
        """Continue from a checkpoint of an earlier process. Raises UsageError: it is that of another training."""
        self.load_state_dict(state)
        if self.kept.is_lost():
            if self.state.best_score >= 0 and not self.state.ended:
                logger.warning("%s is missing: the best network from now on is saved instead", self.run.weights)
            self.state.best_score = -1.0  # the next one is the best there is
            self.kept.forget()
        if self.state.batch_size != self.parameters.batch_size:
            self.loader = self.open_loader()
        self._started = time.monotonic()
        self.save_checkpoint()  # the run may continue in another folder than it began in


def _files(batch: Batch) -> list[str]:
    return [name for view in batch.values() for name in view["files"]]
