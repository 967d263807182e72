"""Who may import whom: the rules of the architecture, read out of the source."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / 'glowdeblur_plugin'
ANYONE = {'errors', 'options', 'host_options'}
RULES = {
    'ops': set(),
    'losses': set(),
    'metrics': set(),
    'diffusion': {'ops'},
    'archs': {'ops', 'diffusion'},
    'data': set(),
    'guidance': {'archs', 'ops', 'diffusion'},
    'models': {'ops', 'losses', 'metrics', 'diffusion', 'archs', 'data', 'guidance', 'resources', 'drawing', '__version__'},
    'inference': {'ops', 'losses', 'metrics', 'diffusion', 'archs', 'data', 'guidance', 'resources', 'drawing', '__version__'},
}
OPTIONAL = {'transformers', 'gradio', 'pyiqa', 'spandrel', 'spandrel_extra_arches'}


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


def test_operations_need_torch_alone() -> None:
    for path, tree in SOURCES.items():
        if path.parts[0] == 'ops':
            roots = {name.split('.')[0] for name in imports(ast.walk(tree))}
            assert not roots & {'numpy', 'cv2', 'basicsr', 'diffusers', 'mmengine', 'skimage'}, path


def test_data_stays_on_the_cpu() -> None:
    for path, tree in SOURCES.items():
        if path.parts[0] == 'data':
            assert not any(isinstance(node, ast.Attribute) and node.attr == 'cuda' for node in ast.walk(tree)), path


def test_heavy_optional_libraries_are_imported_where_they_are_used() -> None:
    for path, tree in SOURCES.items():
        assert not {name.split('.')[0] for name in imports(top_level(tree))} & OPTIONAL, path


def test_only_compat_patches() -> None:
    """No other module assigns to what an imported one holds, `sys.argv` apart, or calls `setattr`."""
    for path, tree in SOURCES.items():
        if path.parts[0] == 'compat':
            continue
        imported = {name.split('.')[0] for name in imports(ast.walk(tree))}
        for node in ast.walk(tree):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AugAssign) else []
            for target in targets:
                root = target
                while isinstance(root, (ast.Attribute, ast.Subscript)):
                    root = root.value
                outside = root is not target and isinstance(root, ast.Name) and root.id in imported
                assert not outside or ast.unparse(target) == 'sys.argv', f'{path}:{node.lineno}'
            assert not (isinstance(node, ast.Call) and ast.unparse(node.func) == 'setattr'), f'{path}:{node.lineno}'


def test_only_the_command_line_prints() -> None:
    for path, tree in SOURCES.items():
        if path.name != 'cli.py':
            calls = [ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)]
            assert 'print' not in calls, path
