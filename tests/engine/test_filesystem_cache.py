"""What a filesystem is for: the next machine finds weights and packages on it. See `faulty_stack` for what is small."""

from collections.abc import Iterator

import pytest

from tests.engine.test_process_machine_filesystems import can_mount
from tests.support.faulty_stack import FaultyStack, faulty_stack
from tests.support.small_components import OTHERS

pytestmark = pytest.mark.skipif(not can_mount(), reason="needs a mount namespace, for a machine's /lambda/nfs")


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultyStack]:
    with (
        pytest.MonkeyPatch.context() as environment,
        faulty_stack(tmp_path_factory.mktemp("cache"), environment, "weights") as made,
    ):
        yield made


def test_the_next_machine_fetches_neither_weights_nor_packages_again(stack: FaultyStack) -> None:
    first = stack.instance_id
    assert stack.fetched().keys() >= stack.wanted
    assert stack.mirror.sent().keys() >= OTHERS
    stack.project.destroy()
    assert len(stack.cloud.ids("file-systems")) == 1
    stack.forget()
    stack.mirror.forget()
    stack.project.up()
    assert stack.cloud.billing() != [first]
    assert stack.fetched() == {}
    assert not OTHERS & stack.mirror.sent().keys()
    # They were there before the machine was, and nothing of them is on its own disk.
    home = stack.cloud.home(stack.project.output("instance_id"))
    assert not (home / ".cache/huggingface/hub").exists()
