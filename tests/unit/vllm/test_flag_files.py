"""Flags that name files: one of the user's computer goes to the machine, or is refused before a machine is launched."""

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from components.vllm.release.flags.files import MOST_BYTES, SentFiles, read_files, variables_elsewhere

TEMPLATE = "{% for message in messages %}{{ message.content }}{% endfor %}\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The project's folder, in the user's home."""
    project = tmp_path / "home/project"
    project.mkdir(parents=True)
    return project


def read(folder: Path, version: str | None = None, **flags: Any) -> SentFiles:
    named = {name.replace("_", "-"): value for name, value in flags.items()}
    return read_files(named, folder, folder.parent, version)


def problem(folder: Path, version: str | None = None, **flags: Any) -> str:
    (line,) = read(folder, version, **flags).problems
    return line


def test_a_template_of_the_project_goes_to_the_machine_and_the_flag_names_it_there(folder: Path) -> None:
    (folder / "mine.jinja").write_text(TEMPLATE)
    for written in ("mine.jinja", "./mine.jinja", str(folder / "mine.jinja"), "~/project/mine.jinja"):
        sent = read(folder, chat_template=written, seed=1)
        assert sent.problems == sent.notes == ()
        assert sent.files == {"files/chat-template/mine.jinja": TEMPLATE}
        assert sent.flags == {"chat-template": "@generation@/files/chat-template/mine.jinja", "seed": 1}


@pytest.mark.parametrize(
    "inline",
    ["{{ messages[0].content }}", "{% for m in messages %}{{ m.content }}{% endfor %}", "a\nb", "x" * 5000 + "{"],
)
def test_a_template_that_is_written_out_is_left_to_vllm(folder: Path, inline: str) -> None:
    assert read(folder, chat_template=inline) == SentFiles({"chat-template": inline})


def test_a_template_of_vllms_own_is_left_to_vllm(folder: Path) -> None:
    assert read(folder, chat_template="template_chatml.jinja") == SentFiles({"chat-template": "template_chatml.jinja"})
    assert problem(folder, chat_template="template_chatlm.jinja") == (
        f"vllmArgs: chat-template: there is no file template_chatlm.jinja in {folder}; did you mean "
        "template_chatml.jinja of vLLM's own?"
    )
    # What another release has is not known here.
    sent = read(folder, "0.8.5", chat_template="template_chatlm.jinja")
    assert "has to be on the machine" in sent.notes[0]


@pytest.mark.parametrize("written", ["gone.jinja", "./gone.jinja", "~/gone.jinja", "templates/gone.jinja"])
def test_a_file_that_is_not_there_is_told_with_where_it_was_looked_for(folder: Path, written: str) -> None:
    line = problem(folder, chat_template=written)
    assert line.startswith("vllmArgs: chat-template: there is no file ")
    assert str(folder.parent) in line


def test_a_file_of_the_users_home_that_is_not_there_is_no_file_of_the_machine(folder: Path) -> None:
    assert "there is no file" in problem(folder, chat_template=str(folder / "gone.jinja"))


def test_a_path_on_the_machine_stays_possible_and_is_told(folder: Path) -> None:
    path = "/lambda/nfs/weights/mine.jinja"
    sent = read(folder, chat_template=path)
    assert (sent.flags, sent.files, sent.problems) == ({"chat-template": path}, {}, ())
    told = f"vllmArgs: chat-template: {path} is no file of this computer, so it has to be on the machine"
    assert sent.notes == (told,)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "is empty"),
        (b" \n", "is empty"),
        (b"caf\xe9 {{ x }}", "is no text in UTF-8"),
        (b"\0\1", "is no text in UTF-8"),
        (b"x" * (MOST_BYTES + 1), "has more than 1 MiB"),
    ],
)
def test_a_file_that_cannot_be_used_is_told(folder: Path, content: bytes, told: str) -> None:
    (folder / "mine.jinja").write_bytes(content)
    assert problem(folder, chat_template="mine.jinja").startswith(
        f"vllmArgs: chat-template: {folder}/mine.jinja {told}"
    )


def test_a_folder_in_the_place_of_a_file_is_told(folder: Path) -> None:
    (folder / "mine.jinja").mkdir()
    assert problem(folder, chat_template="mine.jinja").endswith("mine.jinja cannot be read: Is a directory")


def test_what_is_no_file_is_not_waited_for(folder: Path) -> None:
    os.mkfifo(folder / "mine.jinja")
    assert problem(folder, chat_template="mine.jinja").endswith("mine.jinja is no file")


def test_a_mark_at_the_beginning_and_line_ends_of_windows_do_not_reach_the_prompt(folder: Path) -> None:
    (folder / "mine.jinja").write_bytes(b"\xef\xbb\xbfa\r\nb\r\n")
    assert read(folder, chat_template="mine.jinja").files == {"files/chat-template/mine.jinja": "a\nb\n"}


def test_plugins_and_files_of_settings_go_to_the_machine_too(folder: Path) -> None:
    (folder / "parser.py").write_text("pass\n")
    (folder / "log.json").write_text("{}")
    sent = read(
        folder,
        tool_parser_plugin="parser.py",
        reasoning_parser_plugin="./parser.py",
        log_config_file="log.json",
        mm_encoder_fp8_scale_path="log.json",
        logging_config={"pylogging_config_file": "log.json", "formatter": "text"},
        structured_outputs_config=json.dumps({"reasoning_parser_plugin": "parser.py"}),
    )
    assert sent.problems == ()
    assert sent.flags["tool-parser-plugin"] == "@generation@/files/tool-parser-plugin/parser.py"
    assert sent.flags["logging-config"] == {
        "pylogging_config_file": "@generation@/files/logging-config.pylogging_config_file/log.json",
        "formatter": "text",
    }
    assert sent.flags["structured-outputs-config"] == {
        "reasoning_parser_plugin": "@generation@/files/structured-outputs-config.reasoning_parser_plugin/parser.py"
    }
    assert len(sent.files) == 6


def test_a_plugin_that_is_installed_on_the_machine_is_named_by_its_module(folder: Path) -> None:
    assert read(folder, tool_parser_plugin="my_parsers.one").problems == ()
    assert read(folder, tool_parser_plugin="").problems == ()
    assert "there is no file" in problem(folder, tool_parser_plugin="one.py")


def test_a_file_of_settings_that_is_no_json_is_told(folder: Path) -> None:
    (folder / "log.json").write_text("{'a': 1}")
    assert problem(folder, log_config_file="log.json").startswith(
        f"vllmArgs: log-config-file: {folder}/log.json is no JSON: "
    )


@pytest.mark.parametrize(
    "flags",
    [
        {"tokenizer": "./tokenizer"},
        {"tokenizer": "tokenizer"},
        {"tokenizer": "~/project/tokenizer"},
        {"tokenizer": "HERE/tokenizer"},
        {"hf-config-path": "tokenizer"},
        {"generation-config": "HERE/tokenizer"},
        {"spec-model": "./draft"},
        {"speculative-config": {"model": "HERE/tokenizer", "num_speculative_tokens": 3}},
        {"speculative-config": '{"model": "./tokenizer"}'},
        {"lora-modules": ["mine=./tokenizer"]},
        {"lora-modules": ['{"name": "mine", "path": "~/lora"}']},
        {"lora-modules": '{"name": "mine", "path": "HERE/tokenizer"}'},
        {"default-mm-loras": {"audio": "./tokenizer"}},
        {"allowed-local-media-path": "tokenizer"},
        {"download-dir": "~/weights"},
        {"profiler-config": {"torch_profiler_dir": "./traces"}},
        {"mm-encoder-fp8-scale-save-path": "./scales.json"},
        {"model-loader-extra-config": {"config": "./loader.json"}},
    ],
)
def test_a_folder_of_the_users_computer_is_refused(folder: Path, flags: dict[str, Any]) -> None:
    (folder / "tokenizer").mkdir()
    here = json.loads(json.dumps(flags).replace("HERE", str(folder)))
    (line,) = read_files(here, folder, folder.parent, None).problems
    (flag,) = flags
    assert re.match(rf"vllmArgs: {flag}: \S+ lies on this computer, and the server runs on the machine: ", line)


@pytest.mark.parametrize(
    "flags",
    [
        {"tokenizer": "meta-llama/Llama-3.1-8B-Instruct"},
        {"tokenizer": "/lambda/nfs/weights/tokenizer"},
        {"generation-config": "vllm"},
        {"allowed-local-media-path": "/data"},
        {"allowed-local-media-path": "/tmp"},
        {"lora-modules": ["mine=/lambda/nfs/weights/lora", '{"name": "a", "path": "/b"}']},
        {"speculative-config": {"method": "ngram", "num_speculative_tokens": 3}},
        {"served-model-name": ["vllm", "project/vllm"]},
        {"logits-processors": ["my.module:Processor"]},
        {"hf-overrides": {"a": "./b"}},
        {"compilation-config": {"backend": "project"}},
    ],
)
def test_paths_on_the_machine_and_words_that_are_no_paths_are_left_alone(folder: Path, flags: dict[str, Any]) -> None:
    (folder / "vllm").mkdir()
    (folder / "project").mkdir()
    (folder / "project/vllm").mkdir()
    assert read_files(flags, folder, folder.parent, None) == SentFiles(flags)


@pytest.mark.parametrize(
    ("flag", "value"),
    [("logits-processors", ["mine:Processor"]), ("worker-cls", "mine.Worker"), ("scheduler-cls", "mine.sub.Scheduler"),
     ("worker-extension-cls", "mine.W"), ("kv-transfer-config", {"kv_connector_module_path": "mine.connector"})],
)  # fmt: skip
def test_a_module_of_the_users_computer_is_refused(folder: Path, flag: str, value: Any) -> None:
    (folder / "mine.py").touch()
    (line,) = read_files({flag: value}, folder, folder.parent, None).problems
    assert line == (
        f"vllmArgs: {flag}: the module mine lies on this computer, and is not sent: only what is installed on the "
        "machine can be named"
    )


def test_a_variable_of_the_server_that_names_a_path_of_this_computer_is_refused_without_its_value(folder: Path) -> None:
    (folder / "conf").mkdir()
    here = {"VLLM_LOGGING_CONFIG_PATH": "./log.json", "A": "~/log.json", "B": f"{folder}/conf", "C": "conf/../conf"}
    lines = list(variables_elsewhere(here, folder, folder.parent))
    why = "names a path of this computer, and the server runs on the machine: name an absolute path there"
    assert lines == [f"vllmEnv: {name} {why}" for name in here]
    there = {"A": "/lambda/nfs/log.json", "B": "https://a/b", "C": "a/b", "D": 1, "E": "/tmp", "F": "conf", "G": ""}
    assert list(variables_elsewhere(there, folder, folder.parent)) == []


def test_on_a_computer_whose_user_is_called_as_the_machines_is_paths_of_both_are_taken(folder: Path) -> None:
    """/home/ubuntu is the machine's home as well."""
    flags = {"tokenizer": "/home/ubuntu/tokenizer", "chat-template": "/home/ubuntu/mine.jinja"}
    sent = read_files(flags, Path("/home/ubuntu/project"), Path("/home/ubuntu"), None)
    assert (sent.flags, sent.problems) == (flags, ())
    assert len(sent.notes) == 1


def test_what_is_wrong_with_several_flags_is_told_at_once(folder: Path) -> None:
    assert len(read(folder, chat_template="gone", log_config_file="gone.json", tokenizer="./x").problems) == 3


def test_a_user_without_a_home_of_his_own_may_name_paths_of_the_machine(tmp_path: Path) -> None:
    assert list(variables_elsewhere({"SSL_CERT_DIR": "/etc"}, tmp_path, Path("/"))) == []


def test_text_in_a_flag_of_another_release_that_is_no_json_is_left_to_vllm(folder: Path) -> None:
    assert read(folder, "0.33.0", logging_config="/home/ubuntu/log.yaml").problems == ()
