"""Where a training run stands: its step, and the phase of the recipe that the step lies in."""

from __future__ import annotations

from ....configs.errors import ConfigError
from ....configs.operand_format import OperandFormat
from ..declaration import Recipe
from ..phases import Phase, leak_at, phases


class StepClock:
    """Counts updates, and tells what the recipe does at the next one.

    Attributes:
        recipe: the method.
        pattern: its full ratio.
        steps: of the whole run; None where the recipe does not change over time.
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
        self._phases = self._planned()

    @property
    def phase(self) -> Phase:
        """Of the next update; the last one after the end of the run."""
        return self.phase_at(self.step)

    def phase_at(self, step: int) -> Phase:
        """Of the update after so many, as far as it is planned."""
        return next((each for each in self._phases if step < each.end_step), self._phases[-1])

    @property
    def waits_for_switch(self) -> bool:
        """Whether it is still STEP's first phase."""
        return self.recipe.schedule.switch is not None and self.switch_step is None

    @property
    def leak(self) -> float:
        """The factor with which pruned weights count."""
        return leak_at(self.recipe, self.phase, self.step)

    def switch(self) -> None:
        """End STEP's first phase here."""
        self.switch_step = self.step
        self._phases = self._planned()

    def state_dict(self) -> dict[str, int | None]:
        """What it takes to go on from here."""
        return {"step": self.step, "switch_step": self.switch_step}

    def load_state_dict(self, state: dict[str, int | None]) -> None:
        """Go on from there."""
        self.step, self.switch_step = state["step"] or 0, state["switch_step"]
        self._phases = self._planned()

    def _planned(self) -> tuple[Phase, ...]:
        if self.steps is None:
            # Nothing changes: one phase, however long.
            return phases(self.recipe, self.pattern, 1)
        if self.waits_for_switch:
            return (Phase(kind="dense", first_step=0, steps=self.steps),)
        return phases(self.recipe, self.pattern, self.steps, switch_step=self.switch_step)
