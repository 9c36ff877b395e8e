"""Decoding: one token more of every sequence, on a cache of the keys and values of all before it. Free of torch.

The forward pass of a whole sequence becomes that of its next token. What holds a row a token has one row a sample, so
that a product of a weight has m = batch; attention has one query, and as many keys as the cache holds with the new
token. Keys and values of the new token are written to the cache (``copy``), which the attention products read whole. A
causal mask made of constants is gone: the last token attends to all. The cache lies in memory through the step.

Tokens are told by the extent of the sequence, which attention gives: queries and keys of products marked as causal; in
a graph without such, products of two activations whose result has as many rows as columns and is an operand of another
one. Where keys or values are repeated for groups of heads, the cache holds them before that, and the repetition runs
over all of it. Cross-attention, and sequences that are mixed by anything but attention, are refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from ...configs.errors import ConfigError
from ..graph import ComputedScores, MatrixAxis, MatrixProduct, Operator, Size, Stage, Tensor, TrainingGraph
from ..scores import Square, before_scores, elements_of, scores_of
from .inference import forward_only

_MOVES = ("copy", "multiply", "elementwise")
"""Vector work that may stand between what is cached and the product that reads it."""

_ONE = Size(fixed=1)


def decoding(graph: TrainingGraph, kv_length: int) -> TrainingGraph:
    """The graph of one token more.

    Args:
        graph: of a language model, a training step or a forward pass over a whole sequence.
        kv_length: tokens in the cache before the step; as many as the graph's sequence has when 0.

    Raises:
        ConfigError: it has no self-attention over one sequence, or something else mixes its tokens.
    """
    forward = forward_only(graph)
    attention = _attention(forward)
    found = {queries for queries, _ in attention.values()}
    if len(found) != 1 or any(queries != keys for queries, keys in attention.values()):
        raise _refused(forward, "self-attention over one sequence, as many queries as keys in every layer")
    (tokens,) = found
    return _Decoding(
        graph=forward, tokens=tokens, cached=kv_length or tokens, scores=scores_of(forward, attention)
    ).made()


def _refused(graph: TrainingGraph, need: str) -> ConfigError:
    return ConfigError(
        f"pass_: got decode of {graph.name}, need {need}; try bisparse capture --decode, which runs the network's own"
    )


def _attention(graph: TrainingGraph) -> dict[str, Square]:
    """Queries and keys of every tensor of scores that a product makes."""
    marked = {
        product.outputs[0]: product.geometry.attending(1)
        for product in graph.products
        if isinstance(product.geometry, MatrixProduct)
        and product.geometry.causal is not None
        and set(product.geometry.causal) == {"m", "n"}
    }
    return marked or {
        product.outputs[0]: (product.geometry.m.fixed, product.geometry.n.fixed)
        for product in graph.products
        if product.parameter is None
        and isinstance(product.geometry, MatrixProduct)
        and product.geometry.m == product.geometry.n
        and not product.geometry.m.per_sample
        and product.geometry.grouped is None
    }


@dataclass(frozen=True, kw_only=True)
class _Decoding:
    """A forward pass that becomes one of a token.

    Attributes:
        graph: the forward pass over a sequence.
        tokens: of the sequence.
        cached: tokens in the cache before the step.
        scores: queries and keys of every tensor that is one of scores.
        caches: tensors that are cached, by name.
        repeated: tensors between a cache and the product that reads it: of all tokens, too.
    """

    graph: TrainingGraph
    tokens: int
    cached: int
    scores: dict[str, Square]
    caches: dict[str, None] = field(default_factory=dict)
    repeated: set[str] = field(default_factory=set)

    @property
    def keys(self) -> int:
        """Keys of the new token's attention."""
        return self.cached + 1

    def made(self) -> TrainingGraph:
        """The graph."""
        graph = self.graph
        for product in graph.products:
            if isinstance(product.geometry, MatrixProduct) and product.geometry.scores and len(product.inputs) > 2:
                raise ConfigError(
                    f"pass_: got decode of {graph.name}, whose scores {product.inputs[2]} chooses anew for each input, "
                    "need attention whose scores are known; try blocks without a gate"
                )
            operand = self._keys_or_values(product)
            if operand is not None:
                self._cache(product.inputs[operand])
        if not self.caches:
            raise _refused(graph, "attention whose keys and values the network computes")
        operators = tuple(self._operators())
        names = {name for each in operators for name in (*each.inputs, *each.outputs, each.parameter)}
        tensors = {name: self._tensor(tensor) for name, tensor in graph.tensors.items()}
        for name in self.caches:
            whole, new = _cache_of(name), _appended(name)
            tensors[whole] = replace(tensors[name], name=whole, shape=self._shape(name, self.keys), role="cache")
            tensors[new] = replace(tensors[name], name=new)
        kept = {each.name for each in operators}
        unknown = (each.name for each in graph.operators if each.kind == "unknown")
        return replace(
            graph,
            tensors={name: tensor for name, tensor in tensors.items() if name in names},
            operators=operators,
            cached_tokens=self.cached,
            unknown=tuple(told for name, told in zip(unknown, graph.unknown, strict=False) if name in kept),
            # Torch's counter counted the whole sequence.
            counted_macs={},
            notes=(*graph.notes, self._note()),
        )

    # Where the cache is ----------------------------------------------------------------------------------------------

    def _keys_or_values(self, product: Operator) -> int | None:
        """Which operand of a product of attention is of all tokens: its keys, or its values."""
        if product.parameter is not None or not isinstance(product.geometry, MatrixProduct):
            return None
        if product.outputs[0] in self.scores:
            causal = product.geometry.causal or ("m", "n")
            return 1 if causal[1] == "n" else 0
        for operand, name in enumerate(product.inputs[:2]):
            if name in self.scores:
                return 1 - operand
        return None

    def _cache(self, operand: str) -> None:
        """Let an operand be read from a cache: of itself, or of what it repeats."""
        path = list(self._path(operand))
        smallest = 0
        for at, name in enumerate(path):
            if self.graph.tensors[name].elements(2) < self.graph.tensors[path[smallest]].elements(2):
                smallest = at
        cached = path[smallest]
        if cached not in self.graph.producer:
            raise _refused(self.graph, f"keys and values that the step computes, which {cached} is not")
        self.caches[cached] = None
        self.repeated.update(path[:smallest])

    def _path(self, name: str) -> Iterator[str]:
        """An operand, and what it was moved from."""
        while True:
            yield name
            maker = self.graph.producer.get(name)
            if maker is None or maker.kind not in _MOVES:
                return
            made = [each for each in maker.inputs if each in self.graph.producer]
            if len(made) != 1 or len(self.graph.consumers[name]) != 1:
                return
            (name,) = made

    # What becomes of operators ---------------------------------------------------------------------------------------

    def _operators(self) -> Iterator[Operator]:
        stands_for: dict[str, str] = {}
        constant = _constants(self.graph)
        operators: list[Operator] = []
        for operator in self.graph.operators:
            masked = self._masked(operator, constant)
            if masked is not None:
                stands_for[operator.outputs[0]] = stands_for.get(masked, masked)
                continue
            renamed = replace(operator, inputs=tuple(stands_for.get(name, name) for name in operator.inputs))
            operators.append(self._operator(renamed))
            for name in operator.outputs:
                if name in self.caches:
                    operators.append(self._append(operator, name))
        return reversed(tuple(_read(operators, constant)))

    def _masked(self, operator: Operator, constant: set[str]) -> str | None:
        """The scores that an operator adds a mask of constants to."""
        if operator.is_product or operator.outputs[0] not in self.scores:
            return None
        data = [name for name in operator.inputs if name not in constant]
        masks = any(name in constant and name in self.scores for name in operator.inputs)
        return data[0] if masks and len(data) == 1 and data[0] in self.scores else None

    def _operator(self, operator: Operator) -> Operator:
        inputs = list(operator.inputs)
        appended: list[str] = []
        for at, name in enumerate(operator.inputs):
            if name in self.caches and self._reads_cache(operator, at):
                inputs[at] = _cache_of(name)
                appended.append(_appended(name))
        made = replace(operator, inputs=(*inputs, *appended))
        if operator.geometry is None:
            return replace(made, elements=self._elements(operator))
        if not isinstance(operator.geometry, MatrixProduct):
            raise _refused(self.graph, f"products of tokens alone: {operator.name} is a convolution")
        return replace(made, geometry=self._product(operator, operator.geometry))

    def _reads_cache(self, operator: Operator, at: int) -> bool:
        if operator.is_product:
            return self._keys_or_values(operator) == at
        return any(name in self.repeated for name in operator.outputs)

    def _append(self, operator: Operator, name: str) -> Operator:
        """The new token's keys or values are written to the cache."""
        elements = elements_of(self._tensor(self.graph.tensors[name]))
        assert elements is not None, "a batch has so many tokens"
        return Operator(
            name=_appended(name),
            kind="copy",
            stage=Stage.FORWARD,
            module=operator.module,
            inputs=(name,),
            outputs=(_appended(name),),
            elements=elements,
        )

    def _product(self, operator: Operator, product: MatrixProduct) -> MatrixProduct:
        operand = self._keys_or_values(operator)
        if operand is not None:
            own, all_tokens = self._axes(operator, operand)
            scores = product.scores and ComputedScores(own, all_tokens, product.scores.pattern.of_last_query())
            plain = replace(product, causal=None, scores=scores)
            return _with(plain, {own: _ONE, all_tokens: Size(fixed=self.keys)})
        axes: tuple[MatrixAxis, ...] = ("m",) if operator.parameter is not None else ("m", "n")
        for axis in axes:
            size: Size = getattr(product, axis)
            if self._counts_tokens(size):
                return _with(product, {axis: self._one_of(size)})
        if self._counts_tokens(product.k) and operator.parameter is None:
            raise _refused(self.graph, f"tokens that only attention mixes: {operator.name} sums over them")
        return product

    def _axes(self, operator: Operator, operand: int) -> tuple[MatrixAxis, MatrixAxis]:
        """The axes of queries and of keys."""
        if operator.outputs[0] in self.scores:
            return ("m", "n") if operand == 1 else ("n", "m")
        return ("m", "k") if operand == 1 else ("n", "k")

    def _elements(self, operator: Operator) -> Size:
        for name in (*operator.outputs, *operator.inputs):
            # Vector work is as large as its largest operand.
            if elements_of(self.graph.tensors[name]) == operator.elements:
                made = elements_of(self._tensor(self.graph.tensors[name]))
                if made is not None:
                    return made
        return self._one_of(operator.elements)

    # Sizes -----------------------------------------------------------------------------------------------------------

    def _tensor(self, tensor: Tensor) -> Tensor:
        if tensor.role not in ("input", "activation"):
            return tensor
        return replace(tensor, shape=self._shape(tensor.name, self.keys if tensor.name in self.repeated else 1))

    def _shape(self, name: str, tokens: int) -> tuple[Size, ...]:
        """The shape of a tensor with so many tokens; of scores, one row of all keys."""
        tensor = self.graph.tensors[name]
        if name in self.scores:
            before = before_scores(tensor, self.scores[name])
            assert before is not None, "it is one of scores"
            return (*before, _ONE, Size(fixed=self.keys))
        for at, size in enumerate(tensor.shape):
            if self._counts_tokens(size):
                return (*tensor.shape[:at], self._one_of(size) * tokens, *tensor.shape[at + 1 :])
        return tensor.shape

    def _counts_tokens(self, size: Size) -> bool:
        """Whether it is the extent of the sequence, alone or with samples before it."""
        if size.per_sample:
            return not size.fixed and not size.per_sample % self.tokens
        return size.fixed == self.tokens

    def _one_of(self, size: Size) -> Size:
        if size.fixed % self.tokens or size.per_sample % self.tokens:
            return size
        return replace(size, fixed=size.fixed // self.tokens, per_sample=size.per_sample // self.tokens)

    def _note(self) -> str:
        return (
            f"It decodes one token of each sequence on a cache of {self.cached}: the cache, {len(self.caches)} tensors "
            f"of keys and values, is read whole, and is what a forward pass over {self.cached} tokens has left."
        )


def _with(product: MatrixProduct, extents: dict[MatrixAxis, Size]) -> MatrixProduct:
    return replace(product, m=extents.get("m", product.m), n=extents.get("n", product.n), k=extents.get("k", product.k))


def _cache_of(name: str) -> str:
    return f"{name}:cache"


def _appended(name: str) -> str:
    return f"{name}:append"


def _constants(graph: TrainingGraph) -> set[str]:
    """What is made of nothing that the step is given, nor of weights."""
    found: set[str] = set()
    for operator in graph.operators:
        if found.issuperset(operator.inputs):
            found.update(operator.outputs)
    return found


def _read(operators: list[Operator], constant: set[str]) -> Iterator[Operator]:
    """From the last to the first, without what is made of nothing and read by nobody: a mask."""
    wanted: set[str] = set()
    for operator in reversed(operators):
        if wanted.isdisjoint(operator.outputs) and constant.issuperset(operator.outputs):
            continue
        wanted.update(operator.inputs)
        yield operator
