"""Who may import whom: the rules of the architecture, read out of the source."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / 'glowdeblur_plugin'
ANYONE = {'errors', 'files', 'options', 'host_options'}
TOP = {'compat', 'checks', 'launch', 'cli', 'commands', 'benchmarks', 'train', 'test', 'mmengine_bridge', 'spandrel_bridge'}
RULES = {
    'losses': set(),
    'metrics': {'losses'},
    'diffusion': set(),
    'archs': {'diffusion'},
    'data': set(),
    'guidance': {'data', 'diffusion', 'archs'},
    'report': {'data', 'drawing'},
    'inference': {'archs', 'data', 'diffusion', 'models', 'option_file', 'register', 'resources'},
    'study': {'data', 'drawing', 'losses', 'models', 'archs', 'report'},
    'comparison': {'data', 'drawing', 'metrics', 'inference', 'losses', 'models', 'archs', 'report', 'resources', '__version__',
                   'register'},
    'models': {'losses', 'metrics', 'diffusion', 'archs', 'data', 'resources', 'drawing', '__version__'},
}
OPTIONAL = {'transformers', 'peft', 'gradio', 'pyiqa', 'spandrel', 'spandrel_extra_arches'}


def imports(nodes: Iterator[ast.AST]) -> Iterator[str]:
    """Full names of what is imported in `nodes`."""
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f'{node.module}.{alias.name}' for alias in node.names)


def top_level(tree: ast.Module) -> Iterator[ast.AST]:
    """All nodes that run when the module is imported."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        waiting += [child for child in ast.iter_child_nodes(node) if not isinstance(child, (ast.FunctionDef, ast.Lambda))]


SOURCES = {path.relative_to(PACKAGE): ast.parse(path.read_text()) for path in sorted(PACKAGE.rglob('*.py'))}


@pytest.mark.parametrize('folder', RULES)
def test_folder_imports_only_what_it_may(folder: str) -> None:
    for path, tree in SOURCES.items():
        if path.parts[0] == folder:
            used = {name.split('.')[1] for name in imports(ast.walk(tree)) if name.startswith('glowdeblur_plugin.')}
            assert used <= RULES[folder] | ANYONE | {folder}, path


def test_every_folder_and_module_has_its_rule() -> None:
    assert {path.parts[0] for path in SOURCES if len(path.parts) > 1} == {*RULES, 'compat', 'commands', 'benchmarks'}
    names = {path.stem for path in SOURCES if len(path.parts) == 1}
    assert names == ANYONE | TOP - {'compat', 'commands', 'benchmarks'} | {'__init__', 'resources', 'drawing', 'option_file', 'register'}


def test_nothing_below_imports_the_top_layer() -> None:
    for path, tree in SOURCES.items():
        if path.parts[0].removesuffix('.py') not in {*TOP, '__init__'}:
            used = {name.split('.')[1] for name in imports(ast.walk(tree)) if name.startswith('glowdeblur_plugin.')}
            assert not used & TOP, path


def names_cuda(tree: ast.AST) -> bool:
    """Whether something is taken from `.cuda` or a text names such a device; docstrings may."""
    return any(isinstance(node, ast.Attribute) and node.attr == 'cuda'
               or isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.split(':')[0] == 'cuda'
               for node in ast.walk(tree))


@pytest.mark.parametrize('line', ["x.to('cuda')", "x.to('cuda:1')", 'x.cuda()', 'torch.cuda.synchronize()', "device = 'cuda'"])
def test_cuda_is_found(line: str) -> None:
    assert names_cuda(ast.parse(line))


def test_data_stays_on_the_cpu() -> None:
    for path, tree in SOURCES.items():
        if path.parts[0] == 'data':
            assert not names_cuda(tree), path


def test_heavy_optional_libraries_are_imported_where_they_are_used() -> None:
    for path, tree in SOURCES.items():
        assert not {name.split('.')[0] for name in imports(top_level(tree))} & OPTIONAL, path


def root_name(node: ast.AST) -> str | None:
    """The name at the start of `name.a[b].c`, also of `vars(name.a)` and `name.__dict__`; None for anything else."""
    while isinstance(node, (ast.Attribute, ast.Subscript)) or is_call(node, 'vars'):
        node = node.args[0] if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else None


def is_call(node: ast.AST, *names: str) -> bool:
    """Whether `node` calls the function of one of these names with arguments."""
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names and bool(node.args)


def patches(tree: ast.Module) -> Iterator[int]:
    """Lines that change what an imported module or class holds, by assignment, `del`, `setattr` or its dictionary."""
    imported = {(alias.asname or alias.name).split('.')[0] for node in ast.walk(tree)
                if isinstance(node, (ast.Import, ast.ImportFrom)) for alias in node.names}
    for node in ast.walk(tree):
        targets = []
        if isinstance(node, (ast.Assign, ast.Delete)):
            targets = node.targets
        elif isinstance(node, (ast.AugAssign, ast.AnnAssign)):
            targets = [node.target]
        for target in targets:
            for part in target.elts if isinstance(target, (ast.Tuple, ast.List)) else [target]:
                if not isinstance(part, ast.Name) and root_name(part) in imported and ast.unparse(part) != 'sys.argv':
                    yield node.lineno
        if is_call(node, 'setattr', 'delattr'):
            yield node.lineno
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            changes = node.func.attr in ('update', 'setdefault', 'pop', 'clear', '__setitem__')
            if changes and root_name(node.func.value) in imported and ast.unparse(node.func.value) != 'os.environ':
                yield node.lineno


@pytest.mark.parametrize('line', [
    'from basicsr import train; train.x = 1', 'from basicsr import train as t; t.x = 1', 'import a.b; a.b.x = 1',
    'import basicsr as b; b.x += 1', 'import basicsr; vars(basicsr).update(x=1)', 'import basicsr; vars(basicsr)["x"] = 1',
    'import basicsr; basicsr.__dict__["x"] = 1', 'import basicsr; basicsr.__dict__.update(x=1)', 'import a; b, a.x = 1, 2',
    'import a; del a.x', 'import a; setattr(a, "x", 1)', 'import a; a.x: int = 1',
])
def test_patches_are_found(line: str) -> None:
    assert list(patches(ast.parse(line)))


def test_only_compat_patches() -> None:
    """No other module changes what an imported one holds, `sys.argv` and `os.environ` apart."""
    for path, tree in SOURCES.items():
        if path.parts[0] != 'compat':
            assert not list(patches(tree)), path


def test_only_the_command_line_prints() -> None:
    for path, tree in SOURCES.items():
        if path.name != 'cli.py' and path.parts[0] not in ('commands', 'benchmarks'):
            calls = [ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)]
            assert 'print' not in calls, path
