"""Where a training run stands: its step, and the phase of the recipe that the step lies in."""

from __future__ import annotations

from collections.abc import Sequence

from ....configs.errors import ConfigError
from ....configs.operand_format import OperandFormat
from ...rewrites.kinds import AnyRewrite
from ..declaration import Recipe
from ..phases import Phase, leak_at, phases
from ..run_plan import Stretch, follows_stretches, stretches, training_phases


class StepClock:
    """Counts updates, and tells what the recipe does at the next one.

    Attributes:
        recipe: the method.
        pattern: its full ratio.
        steps: of the whole run, or of one training where it is repeated; None where the recipe does not change.
        stretches: of a recipe that declares its phases one by one, or repeats its training; else none.
        step: updates done.
        switch_step: when STEP's variance had settled; None before that, and for other recipes.
    """

    def __init__(self, recipe: Recipe, pattern: OperandFormat, steps: int | None) -> None:
        timed = recipe.schedule != type(recipe.schedule)() or recipe.mask_search.moves is not None
        if timed and steps is None:
            raise ConfigError(f"steps: got nothing, need the steps of the whole run: {recipe.name} changes over time")
        self.recipe, self.pattern, self.steps = recipe, pattern, steps if timed else None
        self.step = 0
        self.switch_step: int | None = None
        self._training = 0
        self.stretches: tuple[Stretch, ...] = ()
        if self.steps is not None and follows_stretches(recipe):
            self.stretches = tuple(stretches(recipe, pattern, self.steps))
        self._phases = self._planned()

    @property
    def phase(self) -> Phase:
        """Of the next update; the last one after the end of the run, or of the training or task that was begun."""
        return self.phase_at(self.step)

    def phase_at(self, step: int) -> Phase:
        """Of the update after so many, as far as it is planned."""
        begun = self._begun
        return next((each for each in begun if step < each.end_step), begun[-1])

    @property
    def _begun(self) -> tuple[Phase, ...]:
        """The phases of the training, or of the task, that was begun last; all of them where there is one."""
        if self.recipe.schedule.repeats is not None and self.stretches:
            return (self._phases[self._training],)
        task = self._phases[self._training].task if self.stretches else None
        return self._phases if task is None else tuple(each for each in self._phases if each.task == task)

    @property
    def phases(self) -> tuple[Phase, ...]:
        """All of them; before STEP's switch, the dense one."""
        return self._phases

    @property
    def recipe_now(self) -> Recipe:
        """The recipe with the fields that the phase of the next update sets."""
        number = self.phase.stretch
        changed = None if number is None else self.stretches[number].recipe
        return self.recipe if changed is None else changed

    @property
    def rewrites_now(self) -> tuple[AnyRewrite, ...]:
        """The recipe's rewrites that hold at the next update."""
        number = self.phase.stretch
        return self.recipe.rewrites if number is None else self.stretches[number].built

    def began(self, plan: Sequence[object]) -> int:
        """Where the phases began that reach to the next update without a break and have one entry of a plan.

        Args:
            plan: something for each stretch.
        """
        number = self.phase.stretch
        if number is None:
            return self.phase.first_step
        first = self.phase.first_step
        for each in reversed([each for each in self._phases if each.end_step <= first]):
            assert each.stretch is not None, "all phases have one, or none"
            if each.kind == "dense" or plan[each.stretch] != plan[number]:
                break
            first = each.first_step
        return first

    @property
    def waits_for_switch(self) -> bool:
        """Whether it is still STEP's first phase."""
        return self.recipe.schedule.switch is not None and self.switch_step is None

    @property
    def leak(self) -> float:
        """The factor with which pruned weights count."""
        return leak_at(self.recipe, self.phase, self.step)

    def begin(self, step: int) -> None:
        """Begin the training or task, of several, that begins after so many updates, those left out included.

        Until then the one before goes on: what it leaves is measured under its own masks.
        """
        self.step = step
        self._training = next(number for number, each in enumerate(self._phases) if step < each.end_step)

    def switch(self) -> None:
        """End STEP's first phase here."""
        self.switch_step = self.step
        self._phases = self._planned()

    def state_dict(self) -> dict[str, int | None]:
        """What it takes to go on from here."""
        return {"step": self.step, "switch_step": self.switch_step, "training": self._training}

    def load_state_dict(self, state: dict[str, int | None]) -> None:
        """Go on from there."""
        self.step, self.switch_step = state["step"] or 0, state["switch_step"]
        # States from before a training could be repeated have none.
        self._training = state.get("training") or 0
        self._phases = self._planned()

    def _planned(self) -> tuple[Phase, ...]:
        if self.steps is None:
            # Nothing changes: one phase, however long.
            return phases(self.recipe, self.pattern, 1)
        if self.stretches:
            return training_phases(self.stretches)
        if self.waits_for_switch:
            return (Phase(kind="dense", first_step=0, steps=self.steps),)
        return phases(self.recipe, self.pattern, self.steps, switch_step=self.switch_step)
