"""What an installation gets: the package, and nothing that would overwrite BasicSR."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

REPOSITORY = Path(__file__).parent.parent


def test_wheel_holds_the_package_alone(tmp_path: Path) -> None:
    source = tmp_path / 'source'
    made = ('.*', '__pycache__', '*.egg-info', 'build', 'dist', 'experiments', 'results', 'tb_logger', '*.lmdb')
    shutil.copytree(REPOSITORY, source, ignore=shutil.ignore_patterns(*made))
    options = ['--no-deps', '--no-build-isolation', '--no-index', '-q', '-w', tmp_path]
    subprocess.run([sys.executable, '-m', 'pip', 'wheel', *options, source], check=True, capture_output=True)
    wheel, = tmp_path.glob('*.whl')
    names = {name for name in zipfile.ZipFile(wheel).namelist() if '.dist-info/' not in name}
    assert {name.split('/')[0] for name in names} == {'glowdeblur_plugin'}
    parts = {path.relative_to(REPOSITORY).as_posix() for path in (REPOSITORY / 'glowdeblur_plugin').rglob('*')
             if path.suffix in ('.py', '.html', '.css', '.js')}
    assert parts <= names


def test_nothing_names_a_machine() -> None:
    """No file of the repository's own holds a path of the machine it was written on."""
    folders = ('glowdeblur_plugin', 'basicsr', 'options', 'datasets_lmdb')
    files = [path for folder in folders for path in (REPOSITORY / folder).rglob('*') if path.suffix in ('.py', '.yml', '.md')]
    assert files
    for path in (*files, REPOSITORY / 'README.md', REPOSITORY / 'setup.py'):
        text = path.read_text()
        assert not any(name in text for name in ('/work/', '/tmp/', '../shared')), path
