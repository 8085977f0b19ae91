"""Which quantised weights a release of vLLM loads, and on which GPUs, from its source: the list `quantisation.json`."""

import ast
import re
from collections.abc import Iterable
from typing import Any

from scripts.release_source import ReleaseSource, imports, missing, named

LAYERS = "vllm.model_executor.layers.quantization"
METHODS = f"{LAYERS.replace('.', '/')}/__init__.py"
MODELOPT = f"{LAYERS.replace('.', '/')}/modelopt.py"
COMPRESSED_TENSORS = f"{LAYERS.replace('.', '/')}/compressed_tensors/compressed_tensors.py"
NORMALISED = "vllm/transformers_utils/model_arch_config_convertor.py"
SCHEMES = ("compressed_tensors/schemes", "quark/schemes", "inc/schemes")
KERNELS = "vllm/_C_stable_libtorch.abi3.so"
NOT_BROUGHT = ("torchao",)
"""Packages that a method needs, which vLLM only loads if somebody has installed them."""
FOREIGN = ("ABC", "Enum", "object")
"""Bases of other people's, which say nothing here."""


def quantisation(source: ReleaseSource) -> dict[str, Any]:
    """The list. Of a wheel for CUDA: another one has not all the kernels."""
    return {**of_the_source(source), **of_the_kernels(source.read(KERNELS))}


def of_the_source(source: ReleaseSource) -> dict[str, Any]:
    """All that the Python source says; capabilities are tens times major plus minor version, as vLLM counts them."""
    quantisation = source.assignments(METHODS)
    names = ast.literal_eval(named(quantisation, "QuantizationMethods").slice)
    classes = _classes(source)
    return {
        "methods": {name: _support(source, *classes.get(name, classes["online"])) for name in sorted(names)},
        "deprecated": sorted(ast.literal_eval(named(quantisation, "DEPRECATED_QUANTIZATION_METHODS"))),
        "schemes": _schemes(source),
        "modelopt": {"algorithms": _algorithms(source), "legacy": _legacy_algorithms(source)},
    }


def of_the_kernels(library: bytes) -> dict[str, Any]:
    """What only the compiled part knows: its message names the first architecture without 8-bit integer kernels."""
    found = re.search(rb"Use FP8 quantization instead, or run on older arch \(SM < (\d+)\)", library)
    if found is None:
        raise missing("the message about 8-bit integers")
    return {"int8_below": int(found[1])}


def _classes(source: ReleaseSource) -> dict[str, tuple[str, ast.ClassDef]]:
    """Method to the class that loads it, as `get_quantization_config` has them on CUDA."""
    function = _function(source.tree(METHODS), "get_quantization_config")
    places = {
        here: (module, there)
        for module, names in imports(function, LAYERS, is_package=True).items()
        for here, there in names.items()
    }
    # A name that depends on the platform has CUDA's class where it is first assigned.
    for node in ast.walk(function):
        if isinstance(node, ast.AnnAssign) and isinstance(node.value, ast.Name) and isinstance(node.target, ast.Name):
            places.setdefault(node.target.id, places[node.value.id])
    for node in ast.walk(function):
        if isinstance(node, ast.AnnAssign) and isinstance(node.value, ast.Dict):
            pairs = zip(node.value.keys, node.value.values, strict=True)
            return {
                str(ast.literal_eval(key)): source.find_class(*places[value.id])
                for key, value in pairs
                if key is not None and isinstance(value, ast.Name)
            }
    raise missing("the table of methods")


def _support(source: ReleaseSource, module: str, definition: ast.ClassDef) -> dict[str, Any]:
    support: dict[str, Any] = {
        "least": _least(source, module, definition),
        "dtypes": _dtypes(_method(source, module, definition, "get_supported_act_dtypes")),
    }
    packages = {there.split(".")[0] for there in imports(definition, module, is_package=False)}
    if absent := sorted(packages & set(NOT_BROUGHT)):
        support["needs"] = absent
    if types := [node for node in definition.body if isinstance(node, ast.Assign) and _target(node) == "TYPE_MAP"]:
        support["kinds"] = [ast.literal_eval(key) for key in types[0].value.keys]  # type: ignore[attr-defined]
    return support


def _schemes(source: ReleaseSource) -> dict[str, dict[str, Any]]:
    """The ways of multiplying of the methods that have several, each with the GPUs that vLLM lets it run on."""
    found: dict[str, dict[str, Any]] = {}
    for folder in SCHEMES:
        for path in source.paths(f"{LAYERS.replace('.', '/')}/{folder}"):
            module = path.removesuffix(".py").replace("/", ".")
            for definition in source.tree(path).body:
                least = _least(source, module, definition) if isinstance(definition, ast.ClassDef) else None
                if isinstance(definition, ast.ClassDef) and least is not None:
                    in_integers = "init_int8_linear_kernel" in ast.unparse(definition)
                    found[definition.name] = {"least": least, **({"int8": True} if in_integers else {})}
    for name, capability in _on_one_generation(source):
        found[name] = {"least": capability, "most": capability}
    return dict(sorted(found.items()))


def _on_one_generation(source: ReleaseSource) -> Iterable[tuple[str, int]]:
    """Schemes that are taken only if a test with `match_exact` holds, and the capability that it demands."""
    tree = source.tree(COMPRESSED_TENSORS)
    for branch in ast.walk(_function(tree, "_get_scheme_from_parts")):
        asked = re.match(r"self\.(\w+)\(", ast.unparse(branch.test)) if isinstance(branch, ast.If) else None
        for call in ast.walk(_function(tree, asked[1])) if asked else ():
            if isinstance(call, ast.Call) and any(word.arg == "match_exact" for word in call.keywords):
                taken = next(node for node in ast.walk(branch) if isinstance(node, ast.Return))
                yield ast.unparse(taken.value.func), ast.literal_eval(call.args[0])  # type: ignore[union-attr]


def _algorithms(source: ReleaseSource) -> list[str]:
    """Values of ModelOpt's `quant_algo` that are loaded."""
    modelopt = source.assignments(MODELOPT)
    linear = ast.literal_eval(named(modelopt, "LINEAR_ALGOS"))
    more = [element.value for element in named(modelopt, "QUANT_ALGOS").elts if isinstance(element, ast.Constant)]
    return sorted([*linear, *more])


def _legacy_algorithms(source: ReleaseSource) -> dict[str, str]:
    """The same of configurations that name the producer, which older versions wrote: algorithm to vLLM's method."""
    found: dict[str, str] = {}
    for branch in ast.walk(_function(source.tree(NORMALISED), "_normalize_quantization_config")):
        if isinstance(branch, ast.If) and isinstance(branch.test, ast.Compare):
            values = branch.test.comparators[0]
            method = branch.body[0]
            if isinstance(values, ast.Set | ast.Constant) and isinstance(method, ast.Assign):
                named_here = ast.literal_eval(values)
                if isinstance(method.value, ast.Constant):
                    algorithms = named_here if isinstance(named_here, set) else {named_here}
                    found |= dict.fromkeys(algorithms, method.value.value)
    if not found:
        raise missing("ModelOpt's algorithms of old")
    return dict(sorted(found.items()))


def _least(source: ReleaseSource, module: str, definition: ast.ClassDef) -> int | None:
    """What `get_min_capability` returns; None where the class has none, or leaves it to its subclasses."""
    function = _method(source, module, definition, "get_min_capability")
    returned = next((node.value for node in ast.walk(function) if isinstance(node, ast.Return)), None)
    if returned is None:
        return None
    if isinstance(returned, ast.Call):
        name = ast.unparse(returned.func).removesuffix(".get_min_capability")
        return _least(source, *source.find_class(module, name))
    return int(ast.literal_eval(returned))


def _method(source: ReleaseSource, module: str, definition: ast.ClassDef, name: str) -> ast.AST:
    """A method of a class, or of the nearest of vLLM's classes that it inherits it from; else an empty tree."""
    if own := _own(definition, name):
        return own
    bases = [base.id for base in definition.bases if isinstance(base, ast.Name) and base.id not in FOREIGN]
    inherited = (_method(source, *source.find_class(module, base), name) for base in bases)
    return next((method for method in inherited if not isinstance(method, ast.Module)), ast.Module([], []))


def _own(definition: ast.ClassDef, name: str) -> ast.FunctionDef | None:
    methods = (node for node in definition.body if isinstance(node, ast.FunctionDef) and node.name == name)
    return next(methods, None)


def _function(tree: ast.AST, name: str) -> ast.FunctionDef:
    """A function wherever it stands in a module."""
    found = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name == name)
    if function := next(found, None):
        return function
    raise missing(name)


def _dtypes(function: ast.AST) -> list[str]:
    """Types of 16 bits that activations may have, by torch's names."""
    named_types = {node.attr for node in ast.walk(function) if isinstance(node, ast.Attribute)}
    return sorted({"float16" if name == "half" else name for name in named_types} & {"float16", "bfloat16"})


def _target(node: ast.Assign) -> str:
    return ast.unparse(node.targets[0])
