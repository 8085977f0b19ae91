"""What first boot does with user data, read without a machine."""

import base64
from pathlib import PurePosixPath

import asyncssh
import pytest

from localcloud.machines.cloud_init import UserData, WrittenFile, parse


def _key_pair(algorithm: str = "ssh-ed25519") -> tuple[str, str]:
    key = asyncssh.generate_private_key(algorithm)
    return key.export_private_key().decode(), key.export_public_key().decode()


def _indented(text: str) -> str:
    return "".join(f"    {line}\n" for line in text.splitlines())


@pytest.mark.parametrize("text", [None, "", " \n", "#cloud-config\n", "#cloud-config\n# nothing yet\n"])
def test_no_user_data_asks_for_nothing(text: str | None) -> None:
    assert parse(text) == UserData()


def test_host_key_of_the_user_data_is_taken() -> None:
    private, public = _key_pair()
    found = parse(f"#cloud-config\nssh_keys:\n  ed25519_private: |\n{_indented(private)}  ed25519_public: {public}\n")
    assert found.host_key == private
    assert found.remarks == ()


def test_host_key_that_does_not_fit_its_public_half_is_refused() -> None:
    private, _ = _key_pair()
    _, other = _key_pair()
    found = parse(f"#cloud-config\nssh_keys:\n  ed25519_private: |\n{_indented(private)}  ed25519_public: {other}\n")
    assert found.host_key is None
    assert found.remarks == ("not honoured: ssh_keys.ed25519_private and ed25519_public are not one Ed25519 key pair",)


def test_broken_host_key_is_not_told_to_the_log() -> None:
    found = parse("#cloud-config\nssh_keys:\n  ed25519_private: hunter2\n  rsa_private: hunter3\n")
    assert found.host_key is None
    assert len(found.remarks) == 2
    assert "hunter" not in "".join(found.remarks)


def test_authorized_keys_are_single_lines_of_text() -> None:
    _, public = _key_pair()
    found = parse(f"#cloud-config\nssh_authorized_keys:\n  - {public.strip()}\n  - 7\n")
    assert found.authorized_keys == (public.strip(),)
    assert found.remarks == ("not honoured: ssh_authorized_keys[1] is not one line of text",)


def test_files_are_written_into_the_home_with_their_permissions() -> None:
    secret = base64.b64encode(b"\x00secret").decode()
    found = parse(
        f"""#cloud-config
write_files:
  - {{path: /home/ubuntu/plain, content: hello}}
  - {{path: /home/ubuntu/.config/secret, content: {secret}, encoding: b64, permissions: '0600'}}
  - {{path: /home/ubuntu/octal, content: x, permissions: 0640, append: true}}
"""
    )
    assert found.files == (
        WrittenFile(PurePosixPath("plain"), b"hello", 0o644, False),
        WrittenFile(PurePosixPath(".config/secret"), b"\x00secret", 0o600, False),
        WrittenFile(PurePosixPath("octal"), b"x", 0o640, True),
    )


@pytest.mark.parametrize(
    "path", ["/etc/motd", "/home/ubuntu/../other/x", "/home/ubuntu2/x", "relative", "/home/ubuntu/"]
)
def test_no_file_is_written_outside_the_home(path: str) -> None:
    found = parse(f"#cloud-config\nwrite_files:\n  - {{path: {path}, content: x}}\n")
    assert found.files == ()
    assert len(found.remarks) == 1
    assert found.remarks[0].startswith("not honoured: write_files[0] ")


@pytest.mark.parametrize("entry", ["7", "{content: x}", "{path: /home/ubuntu/x, encoding: gzip}"])
def test_file_that_cannot_be_written_leaves_the_others(entry: str) -> None:
    found = parse(f"#cloud-config\nwrite_files:\n  - {entry}\n  - {{path: /home/ubuntu/good}}\n")
    assert [file.path.name for file in found.files] == ["good"]
    assert found.remarks[0].startswith("not honoured: write_files[0] ")


def test_commands_become_a_script() -> None:
    found = parse("#cloud-config\nruncmd:\n  - echo $HOME > x\n  - [touch, a b]\n  - {no: no}\n")
    assert found.script == "#!/bin/sh\necho $HOME > x\ntouch 'a b'\n"
    assert found.remarks == ("not honoured: runcmd[2] is neither text nor a list",)


def test_script_as_user_data_is_run_as_it_is() -> None:
    assert parse("#!/bin/bash\necho hi\n") == UserData(script="#!/bin/bash\necho hi\n")


def test_everything_else_is_named_in_the_log() -> None:
    found = parse("#cloud-config\npackages: [nginx]\nhostname: hunter2\n")
    assert found.remarks == ("not honoured: packages", "not honoured: hostname")


@pytest.mark.parametrize(
    "text",
    ["#cloud-config\nruncmd: [unclosed hunter2\n", "#cloud-config\n- hunter2\n", "Content-Type: hunter2\n"],
)
def test_unreadable_user_data_is_one_remark_and_no_failure(text: str) -> None:
    found = parse(text)
    assert len(found.remarks) == 1
    assert found == UserData(remarks=found.remarks)
    assert "hunter2" not in found.remarks[0]
