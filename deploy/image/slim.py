"""Make the root of an image: an environment, Python, and the libraries of the system that they ask for.

    python slim.py /opt/cairn /image

The result has no shell, no package manager and no compiler. It runs in a stage of the build, where Debian is.
"""

# ruff: noqa: S603, S607 - it runs tools of the stage of the build that it is in

from __future__ import annotations

import compileall
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable
from pathlib import Path
from py_compile import PycInvalidationMode

UNREAD = re.compile(
    r"/(tests?|__pycache__|include|ensurepip|idlelib|lib2to3|pydoc_data|tkinter|turtledemo|config-3[^/]*)$"
    r"|/torch/share$|/torch/bin/(?!torch_shm_manager$)[^/]+$|/bin/(activate.*|Activate\.ps1|uvx?)$"
    r"|/wordfreq/data/(?!large_en|small_en)[^/]+$"
    r"|/site-packages/(setuptools|pkg_resources|_distutils_hack|distutils-precedence\.pth)$"
    r"|\.(pyx|pxd|pyi|c|cc|cpp|h|hpp|a|la)$"
)
"""What nobody reads while the service runs: tests, headers, sources of compiled modules, other languages."""
NOT_THE_STANDARD_LIBRARY = frozenset({"site-packages", "dist-packages"})
OPENED_BY_NAME = ("libgcc_s.so.1", "libstdc++.so.6", "libnss_files.so.2", "libnss_dns.so.2")
"""Libraries that are asked for while running, so that no file lists them."""
AS_THEY_ARE = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/ld.so.cache",
    "/usr/lib/os-release",
    "/var/lib/dpkg/status",
)
"""The last two tell scanners which Debian this was and what was installed."""
WRITTEN = {
    "etc/passwd": "root:x:0:0::/:/none\ncairn:x:65532:65532::/tmp:/none\n",
    "etc/group": "root:x:0:\ncairn:x:65532:\n",
    "etc/nsswitch.conf": "hosts: files dns\n",
}


def main(environment: Path, root: Path) -> None:
    """Fill `root`, which is not there yet."""
    python, library = Path(sys.executable).resolve(), Path(sysconfig.get_path("stdlib"))
    _link_folders(root)
    _copy_tree(environment, root)
    _copy_tree(library, root, without=NOT_THE_STANDARD_LIBRARY)
    _copy_file(python, _inside(root, _started_by(environment)))
    for each in _libraries([python, *_compiled(root)]):
        _copy_file(each, _inside(root, each.parent.resolve() / each.name))
    for each in map(Path, AS_THEY_ARE):
        _copy_file(each, _inside(root, each))
    for name, text in WRITTEN.items():
        (root / name).write_text(text, encoding="utf-8")
    (root / "tmp").mkdir()
    (root / "tmp").chmod(0o1777)
    _strip(_compiled(root))
    _compile(_inside(root, environment), _inside(root, library), root=root)


def _inside(root: Path, path: Path) -> Path:
    return root / path.relative_to("/")


def _link_folders(root: Path) -> None:
    """Where Debian has /lib as a link to usr/lib, the image has it too."""
    root.mkdir()
    for each in Path("/").iterdir():
        if each.is_symlink():
            _inside(root, each).symlink_to(each.readlink())


def _copy_tree(folder: Path, root: Path, *, without: frozenset[str] = frozenset()) -> None:
    def unread(parent: str, names: list[str]) -> set[str]:
        here = without if Path(parent) == folder else frozenset[str]()
        return {name for name in names if name in here or UNREAD.search(f"{parent}/{name}")}

    shutil.copytree(folder, _inside(root, folder), symlinks=True, ignore=unread)


def _copy_file(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(source, target)


def _started_by(environment: Path) -> Path:
    """The path of Python that the environment's own is a link to."""
    link = environment / "bin" / "python3"
    while environment in link.parents:
        link = link.parent / link.readlink()
    return link


def _compiled(root: Path) -> list[Path]:
    return sorted(path for path in root.rglob("*.so*") if not path.is_symlink())


def _libraries(files: Iterable[Path]) -> set[Path]:
    """The libraries of the system that these ask for, and those of them that are only asked for by name."""
    asked = subprocess.run(
        ["ldd", *map(str, files)], capture_output=True, text=True, check=False
    ).stdout  # it fails for a file that is none of the loader's, and tells of the others
    found = {Path(path) for path in re.findall(r"^\t(?:\S+ => )?(/\S+) \(0x", asked, re.MULTILINE)}
    system = {path for path in found if path.parts[1] in {"lib", "lib64", "usr"}}
    beside = {folder / name for folder in {path.parent for path in system} for name in OPENED_BY_NAME}
    return system | {path for path in beside if path.exists()}


def _strip(files: Iterable[Path]) -> None:
    """Take debug information out: most of spaCy is that. What has none is not touched."""
    for each in files:
        sections = subprocess.run(["readelf", "-SW", each], capture_output=True, text=True, check=False)
        if ".debug_info" in sections.stdout:
            subprocess.run(["strip", "--strip-unneeded", each], check=True)


def _compile(*folders: Path, root: Path) -> None:
    """Byte code for all: nothing can be written where the image runs, and no source changes there."""
    for each in folders:
        compileall.compile_dir(
            each,
            maxlevels=32,
            quiet=2,
            workers=0,
            stripdir=str(root),
            invalidation_mode=PycInvalidationMode.UNCHECKED_HASH,
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
