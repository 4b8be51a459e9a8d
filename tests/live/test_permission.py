"""Who may execute a file, asked of the kernel: modes, access control lists, user namespaces."""

from __future__ import annotations

import os
import random
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from inspector.model.program import Credentials
from inspector.predict.kernel.permission import may_execute
from tests.live.odd_programs import FIXED

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user"),
]

USER_OBJ, USER, GROUP_OBJ, GROUP, MASK, OTHER = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20
NO_ID = 0xFFFF_FFFF
IDS = (1000, 1001, 1002)


@pytest.fixture
def program(stage: Path) -> Path:
    stage.chmod(0o755)
    path = stage / "permission"
    path.unlink(missing_ok=True)
    path.write_bytes(FIXED.contents())
    return path


def kernel_allows(path: Path, credentials: Credentials) -> bool:
    """Try it. The program is one that dies at once: that it was started is the answer."""
    try:
        subprocess.run(
            [path],
            user=credentials.euid,
            group=credentials.egid,
            extra_groups=credentials.groups,
            stderr=subprocess.DEVNULL,
            check=False,
        )
    except PermissionError:
        return False
    return True


def random_acl(source: random.Random) -> bytes:
    def allowed() -> int:
        return source.choice((0, 1, 4, 5, 7))

    users = sorted(source.sample(IDS, source.randrange(3)))
    groups = sorted(source.sample(IDS, source.randrange(3)))
    entries = [(USER_OBJ, allowed(), NO_ID), *((USER, allowed(), each) for each in users)]
    entries += [(GROUP_OBJ, allowed(), NO_ID), *((GROUP, allowed(), each) for each in groups)]
    if users or groups:
        entries.append((MASK, allowed(), NO_ID))
    entries.append((OTHER, allowed(), NO_ID))
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)


@pytest.mark.parametrize("seed", range(150))
def test_random_owner_mode_and_list(seed: int, program: Path) -> None:
    source = random.Random(seed)  # noqa: S311
    os.chown(program, source.choice(IDS), source.choice(IDS))
    program.chmod(source.choice((0o755, 0o700, 0o750, 0o701, 0o070, 0o674, 0o644, 0o010, 0o001)))
    if source.random() < 0.7:
        try:
            os.setxattr(program, "system.posix_acl_access", random_acl(source))
        except OSError as error:
            pytest.skip(f"no access control lists here: {error}")
    user, group = source.choice(IDS), source.choice(IDS)
    groups = tuple(source.sample(IDS, source.randrange(3)))
    caller = Credentials(user, user, group, group, groups)
    assert may_execute(str(program), program.stat(), caller) is kernel_allows(program, caller)


_IN_NAMESPACE = """
import os, subprocess, sys
from pathlib import Path
from inspector.observe.credentials import current_credentials
from inspector.predict.kernel.permission import may_execute

for name in sys.argv[1:]:
    path = Path(name)
    try:
        subprocess.run([path], stderr=subprocess.DEVNULL)
        allowed = True
    except PermissionError:
        allowed = False
    print(allowed, may_execute(name, path.stat(), current_credentials()))
"""


def test_root_of_a_user_namespace_is_not_above_owners_it_has_no_number_for(program: Path) -> None:
    mine, other = program, program.with_name("other")
    shutil.copy(program, other)
    for path in (mine, other):
        path.chmod(0o010)
    os.chown(other, 1000, 1000)
    command = ["unshare", "--user", "--map-root-user", sys.executable, "-c", _IN_NAMESPACE]
    done = subprocess.run(
        [*command, str(mine), str(other)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    if "unshare" in done.stderr:
        pytest.skip(f"no user namespaces here: {done.stderr}")
    assert done.stdout.splitlines() == ["True True", "False False"], done.stderr
