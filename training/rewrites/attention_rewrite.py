"""A rewrite of attention: the fields that say which, and the attention that they name."""

from __future__ import annotations

from pydantic import Field

from ...configs.errors import ConfigError
from ..attention import Attention, attention_of
from ..graph import TrainingGraph
from ..passes.naming import named
from .layers import refuse_unnamed
from .rewrite import Rewrite


class AttentionRewrite(Rewrite):
    """An entry that names modules with attention, or modules that hold them."""

    layers: tuple[str, ...] = Field(
        default=("*",), min_length=1, description="paths of modules with attention, with * and ?"
    )
    except_layers: tuple[str, ...] = Field(
        default=(), description="paths of modules among them that stay, with * and ?"
    )

    def attention(self, graph: TrainingGraph) -> tuple[Attention, ...]:
        """Attention in the modules that the entry names.

        Raises:
            ConfigError: the graph has none, a pattern names none, or none is left; ``field`` says so.
        """
        found = attention_of(graph)
        if not found:
            raise ConfigError(
                f"layers: got {', '.join(self.layers)}, need attention, which {graph.name} has not: a product of two "
                "activations, a softmax of it, and a product that multiplies by that",
                field="layers",
            )
        modules = [each.module for each in found]
        for field in ("layers", "except_layers"):
            for number, pattern in enumerate(getattr(self, field)):
                what = "the path of a module with attention"
                refuse_unnamed(field, number, pattern, modules, what=what, of=graph.name)
        left = tuple(
            each
            for each in found
            if any(named(pattern, each.module) for pattern in self.layers)
            and not any(named(pattern, each.module) for pattern in self.except_layers)
        )
        if not left:
            raise ConfigError(
                f"except_layers: got {', '.join(self.except_layers)}, need attention of {graph.name} that is left of "
                f"{', '.join(self.layers)}",
                field="except_layers",
            )
        return left


def modules_of(attention: tuple[Attention, ...]) -> tuple[str, ...]:
    """Their modules, each once."""
    return tuple(dict.fromkeys(each.module for each in attention))
