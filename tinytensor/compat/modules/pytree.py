"""`torch.utils._pytree`: nested containers as a list of leaves and a description of the rest.

    leaves, spec = tree_flatten({"a": 1, "b": (2, 3)})      # [1, 2, 3]
    tree_unflatten([x * 10 for x in leaves], spec)          # {"a": 10, "b": (20, 30)}

Containers are dict, OrderedDict, defaultdict, list, tuple, named tuples, deque, and the classes
that `register_pytree_node` adds. Anything else is a leaf, None too.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, TypeAlias

PyTree: TypeAlias = Any
Context: TypeAlias = Any
IsLeaf: TypeAlias = Callable[[Any], bool] | None


class NodeDef(NamedTuple):
    """How a class of containers is taken apart, and put together again."""

    flatten_fn: Callable[[Any], tuple[list[Any], Context]]
    unflatten_fn: Callable[[Iterable[Any], Context], Any]


class MappingKey(NamedTuple):
    """The step to a value of a dict, in the path to a leaf."""

    key: Any

    def __str__(self) -> str:
        return f"[{self.key!r}]"


class SequenceKey(NamedTuple):
    """The step to an item of a list or tuple."""

    idx: int

    def __str__(self) -> str:
        return f"[{self.idx}]"


class GetAttrKey(NamedTuple):
    """The step to a field of a named tuple."""

    name: str

    def __str__(self) -> str:
        return f".{self.name}"


KeyPath: TypeAlias = tuple[Any, ...]


class TreeSpec:
    """The description of a tree without its leaves.

    type             the class of the container; None for a leaf
    context          what its class needs beside the children, such as the keys of a dict
    children_specs   the descriptions of its children
    num_leaves       the number of leaves
    """

    def __init__(self, type: Any, context: Context, children_specs: list[TreeSpec]):
        self.type, self.context, self.children_specs = type, context, children_specs
        self.num_leaves: int = 1 if type is None else sum(c.num_leaves for c in children_specs)
        self.num_nodes: int = 1 + sum(c.num_nodes for c in children_specs)
        self.num_children = len(children_specs)

    def is_leaf(self) -> bool:
        return self.type is None

    def children(self) -> list[TreeSpec]:
        return list(self.children_specs)

    def child(self, index: int) -> TreeSpec:
        return self.children_specs[index]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TreeSpec) and (
            (self.type, self.context, self.children_specs)
            == (other.type, other.context, other.children_specs))

    def __hash__(self) -> int:
        return hash((self.type, repr(self.context), tuple(self.children_specs)))

    def __repr__(self) -> str:
        if self.type is None:
            return "*"
        inner = ", ".join(map(repr, self.children_specs))
        return f"TreeSpec({self.type.__name__}, {self.context!r}, [{inner}])"


def LeafSpec() -> TreeSpec:  # noqa: N802 - PyTorch's name
    """The description of a leaf."""
    return TreeSpec(None, None, [])


def _dict_flatten(d: dict[Any, Any]) -> tuple[list[Any], Context]:
    return list(d.values()), list(d)


def _dict_unflatten(values: Iterable[Any], context: Context) -> dict[Any, Any]:
    return dict(zip(context, values, strict=True))


def _list_flatten(items: Iterable[Any]) -> tuple[list[Any], Context]:
    return list(items), None


def _list_unflatten(values: Iterable[Any], context: Context) -> list[Any]:
    return list(values)


def _tuple_unflatten(values: Iterable[Any], context: Context) -> tuple[Any, ...]:
    return tuple(values)


_tuple_flatten = _list_flatten


class namedtuple:  # noqa: N801 - PyTorch's name for the kind
    """Stands for all named tuples among the kinds of containers."""


SUPPORTED_NODES: dict[Any, NodeDef] = {
    dict: NodeDef(_dict_flatten, _dict_unflatten),
    OrderedDict: NodeDef(_dict_flatten, lambda values, keys: OrderedDict(
        zip(keys, values, strict=True))),
    defaultdict: NodeDef(
        lambda d: (list(d.values()), (d.default_factory, list(d))),
        lambda values, c: defaultdict(c[0], zip(c[1], values, strict=True))),
    list: NodeDef(_list_flatten, _list_unflatten),
    tuple: NodeDef(_tuple_flatten, _tuple_unflatten),
    deque: NodeDef(lambda d: (list(d), d.maxlen), lambda values, n: deque(values, maxlen=n)),
    namedtuple: NodeDef(lambda t: (list(t), type(t)), lambda values, kind: kind(*values)),
}


def register_pytree_node(cls: type, flatten_fn: Callable[[Any], tuple[list[Any], Context]],
                         unflatten_fn: Callable[[Iterable[Any], Context], Any],
                         **options: Any) -> None:
    """Makes a class a container: flatten_fn(x) gives (children, context), unflatten_fn(children,
    context) gives x back.

    Raises:
        ValueError: the class is one already.
    """
    if cls in SUPPORTED_NODES:
        raise ValueError(f"register_pytree_node: {cls.__name__} is registered already")
    SUPPORTED_NODES[cls] = NodeDef(flatten_fn, unflatten_fn)


_register_pytree_node = register_pytree_node


def is_namedtuple(obj: object) -> bool:
    """Whether it is a named tuple, or the class of one."""
    kind = obj if isinstance(obj, type) else type(obj)
    return issubclass(kind, tuple) and hasattr(kind, "_fields")


is_namedtuple_class = is_namedtuple


def is_structseq_instance(obj: object) -> bool:
    """Whether it is a struct sequence of C, such as `time.localtime()`: these are leaves."""
    return False


def _get_node_type(tree: Any) -> Any:
    return namedtuple if is_namedtuple(tree) else type(tree)


def _is_leaf(tree: Any, is_leaf: IsLeaf = None) -> bool:
    return (is_leaf is not None and is_leaf(tree)) or _get_node_type(tree) not in SUPPORTED_NODES


def tree_flatten(tree: PyTree, is_leaf: IsLeaf = None) -> tuple[list[Any], TreeSpec]:
    """The leaves of a tree, and the description from which `tree_unflatten` makes it again."""
    leaves: list[Any] = []
    return leaves, _flatten(tree, leaves, is_leaf)


def _flatten(tree: Any, leaves: list[Any], is_leaf: IsLeaf) -> TreeSpec:
    if _is_leaf(tree, is_leaf):
        leaves.append(tree)
        return LeafSpec()
    kind = _get_node_type(tree)
    children, context = SUPPORTED_NODES[kind].flatten_fn(tree)
    return TreeSpec(kind, context, [_flatten(child, leaves, is_leaf) for child in children])


def tree_unflatten(leaves: Iterable[Any], treespec: TreeSpec) -> PyTree:
    """The tree of a description, with these leaves.

    Raises:
        ValueError: another number of leaves.
    """
    leaves = list(leaves)
    if len(leaves) != treespec.num_leaves:
        raise ValueError(f"tree_unflatten: {len(leaves)} leaves, but the tree has "
                         f"{treespec.num_leaves}")
    return _unflatten(iter(leaves), treespec)


def _unflatten(leaves: Any, spec: TreeSpec) -> Any:
    if spec.type is None:
        return next(leaves)
    children = [_unflatten(leaves, child) for child in spec.children_specs]
    return SUPPORTED_NODES[spec.type].unflatten_fn(children, spec.context)


def tree_leaves(tree: PyTree, is_leaf: IsLeaf = None) -> list[Any]:
    """The leaves of a tree."""
    return tree_flatten(tree, is_leaf)[0]


tree_iter = tree_leaves


def tree_structure(tree: PyTree, is_leaf: IsLeaf = None) -> TreeSpec:
    """The description of a tree."""
    return tree_flatten(tree, is_leaf)[1]


def tree_map(func: Callable[..., Any], tree: PyTree, *rests: PyTree,
             is_leaf: IsLeaf = None) -> PyTree:
    """The tree with func(leaf) in place of each leaf; with `rests`, func(leaf, *leaves of these).

    Raises:
        ValueError: one of the rests has another number of leaves.
    """
    leaves, spec = tree_flatten(tree, is_leaf)
    others = [tree_leaves(rest, is_leaf) for rest in rests]
    return tree_unflatten([func(*args) for args in zip(leaves, *others, strict=True)], spec)


def tree_map_(func: Callable[..., Any], tree: PyTree, *rests: PyTree,
              is_leaf: IsLeaf = None) -> PyTree:
    """Calls func as `tree_map` does, and returns the tree."""
    tree_map(func, tree, *rests, is_leaf=is_leaf)
    return tree


def tree_map_only(type_or_types: Any, func: Callable[[Any], Any] | None = None, tree: PyTree = None,
                  is_leaf: IsLeaf = None) -> PyTree:
    """The tree with func(leaf) in place of each leaf of a type, or for which a function says so."""
    chosen = type_or_types if callable(type_or_types) and not isinstance(type_or_types, type) \
        else lambda leaf: isinstance(leaf, type_or_types)
    return tree_map(lambda leaf: func(leaf) if chosen(leaf) else leaf,  # type: ignore[misc]
                    tree, is_leaf=is_leaf)


def tree_all(pred: Callable[[Any], bool], tree: PyTree, is_leaf: IsLeaf = None) -> bool:
    """Whether `pred` holds for all leaves."""
    return all(map(pred, tree_leaves(tree, is_leaf)))


def tree_any(pred: Callable[[Any], bool], tree: PyTree, is_leaf: IsLeaf = None) -> bool:
    """Whether `pred` holds for some leaf."""
    return any(map(pred, tree_leaves(tree, is_leaf)))


def _step_names(tree: Any) -> list[Any]:
    kind = _get_node_type(tree)
    if kind is namedtuple:
        return [GetAttrKey(name) for name in tree._fields]
    if isinstance(tree, dict):
        return [MappingKey(key) for key in tree]
    return [SequenceKey(i) for i in range(len(SUPPORTED_NODES[kind].flatten_fn(tree)[0]))]


def tree_leaves_with_path(tree: PyTree, is_leaf: IsLeaf = None) -> list[tuple[KeyPath, Any]]:
    """(path, leaf) for each leaf."""
    if _is_leaf(tree, is_leaf):
        return [((), tree)]
    children = SUPPORTED_NODES[_get_node_type(tree)].flatten_fn(tree)[0]
    return [((step, *path), leaf) for step, child in zip(_step_names(tree), children, strict=True)
            for path, leaf in tree_leaves_with_path(child, is_leaf)]


def tree_flatten_with_path(tree: PyTree, is_leaf: IsLeaf = None,
                           ) -> tuple[list[tuple[KeyPath, Any]], TreeSpec]:
    """`tree_flatten`, with the path of each leaf."""
    return tree_leaves_with_path(tree, is_leaf), tree_structure(tree, is_leaf)


def tree_map_with_path(func: Callable[..., Any], tree: PyTree, *rests: PyTree,
                       is_leaf: IsLeaf = None) -> PyTree:
    """`tree_map` of func(path, leaf, ...)."""
    paths, spec = tree_flatten_with_path(tree, is_leaf)
    others = [tree_leaves(rest, is_leaf) for rest in rests]
    return tree_unflatten([func(path, leaf, *more) for (path, leaf), *more in zip(
        paths, *others, strict=True)], spec)


def keystr(kp: KeyPath) -> str:
    """A path as text: "['a'][0]"."""
    return "".join(map(str, kp))


def _dict_flatten_with_keys(d: dict[Any, Any]) -> tuple[list[tuple[Any, Any]], Context]:
    return [(MappingKey(k), v) for k, v in d.items()], list(d)
