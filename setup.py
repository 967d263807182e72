"""Installation of glowdeblur_plugin; packages are listed by name, so the launchers' folder `basicsr/` stays out of the wheel."""

import re
from pathlib import Path

from setuptools import setup

ROOT = Path(__file__).parent
VERSION = re.search(r"__version__ = '(.+)'", (ROOT / 'glowdeblur_plugin' / '__init__.py').read_text(encoding='utf-8')).group(1)

PACKAGES = [
    'glowdeblur_plugin',
    'glowdeblur_plugin.archs',
    'glowdeblur_plugin.benchmarks',
    'glowdeblur_plugin.commands',
    'glowdeblur_plugin.comparison',
    'glowdeblur_plugin.compat',
    'glowdeblur_plugin.data',
    'glowdeblur_plugin.data.packers',
    'glowdeblur_plugin.data.simulate',
    'glowdeblur_plugin.diffusion',
    'glowdeblur_plugin.guidance',
    'glowdeblur_plugin.inference',
    'glowdeblur_plugin.losses',
    'glowdeblur_plugin.metrics',
    'glowdeblur_plugin.models',
    'glowdeblur_plugin.report',
    'glowdeblur_plugin.study',
]
SEMANTIC = ['transformers>=5.0', 'pillow>=9.1']
LORA = ['peft>=0.18']
BASELINES = ['spandrel>=0.4.1,<0.5', 'spandrel-extra-arches>=0.2,<0.3']

setup(
    name='glowdeblur_plugin',
    version=VERSION,
    description='Generative real-world image deblurring (GLOWDeblur) as a plugin for BasicSR',
    long_description=(ROOT / 'README.md').read_text(encoding='utf-8'),
    long_description_content_type='text/markdown',
    python_requires='>=3.11,<3.13',
    packages=PACKAGES,
    package_data={'glowdeblur_plugin.comparison': ['page_files/*']},
    entry_points={'console_scripts': ['glowdeblur=glowdeblur_plugin.cli:main']},
    install_requires=[
        'basicsr==1.4.2',
        'torch>=2.6',
        'torchvision>=0.21',
        'diffusers>=0.36,<0.43',
        'mmengine>=0.10.5,<0.11',
        'lmdb>=1.6',
        'zstandard>=0.22',
        'opencv-python>=4.9',
        'numpy>=1.26',
        'pyyaml>=6.0',
        'safetensors>=0.4.5',
        'scikit-image>=0.22',
        'tensorboard>=2.16',
    ],
    extras_require={
        'baselines': BASELINES,
        'iqa': ['pyiqa>=0.1.15,<0.2'],
        'lora': LORA,
        'semantic': SEMANTIC,
        'test': ['pytest>=8.0', *SEMANTIC, *BASELINES, *LORA],
    },
)
