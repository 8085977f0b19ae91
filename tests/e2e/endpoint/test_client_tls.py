"""What a client sees of TLS: the commands of the README, and a certificate that is renewed under it."""

import json
import os
import re
import ssl
import subprocess
from pathlib import Path

import httpx
import openai
import pytest

from tests.e2e.conftest import MODEL, Served
from tests.support.pulumi_cli import REPOSITORY

README = (REPOSITORY / "README.md").read_text()

pytestmark = pytest.mark.timeout(1200)


def test_a_client_that_does_not_know_the_authority_is_refused_by_itself(served: Served) -> None:
    outputs = served.outputs
    with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        httpx.get(f"{outputs['endpoint']}/models")
    with pytest.raises(openai.APIConnectionError):
        openai.OpenAI(base_url=outputs["endpoint"], api_key=outputs["api_key"], max_retries=0).models.list()
    curl = subprocess.run(["curl", "--silent", f"{outputs['endpoint']}/models"], check=False)
    assert curl.returncode == 60


def readme(part: str) -> str:
    """The example of the README that holds these words."""
    found: str
    (found,) = [block for block in re.findall(r"^```\w*\n(.*?)^```", README, re.S | re.M) if part in block]
    return found


def python(program: str) -> str:
    """A program as a part of a shell script."""
    return f"python - <<'END'\n{program}END\n"


def test_the_readmes_commands_work_as_they_are_printed(served: Served) -> None:
    first = readme("curl --cacert")
    curl = served.project.shell(first)
    assert '"object":"text_completion"' in curl
    settings = first.partition("\ncurl")[0] + "\n"
    assert "ChatCompletion(" in served.project.shell(settings + python(readme("from openai import")))
    assert MODEL in served.project.shell(settings + python(readme("httpx.Client(")))


def test_programs_without_an_option_trust_by_the_variables_of_the_readme(served: Served) -> None:
    settings = readme("curl --cacert").partition("\ncurl")[0] + "\n"
    by_variable = 'CURL_CA_BUNDLE=ca.pem curl --silent --fail -H "Authorization: Bearer $OPENAI_API_KEY" '
    assert MODEL in served.project.shell(settings + by_variable + "$OPENAI_BASE_URL/models")
    listed = "import openai\nprint(openai.OpenAI().models.list())\n"
    assert MODEL in served.project.shell(f"{settings}export SSL_CERT_FILE=ca.pem\n" + python(listed))
    for client, variable in (("httpx", "SSL_CERT_FILE"), ("requests", "REQUESTS_CA_BUNDLE")):
        program = (
            f"import os, {client}\nheaders = {{'Authorization': 'Bearer ' + os.environ['OPENAI_API_KEY']}}\n"
            f"print({client}.get(os.environ['OPENAI_BASE_URL'] + '/models', headers=headers).text)\n"
        )
        assert MODEL in served.project.shell(f"{settings}export {variable}=ca.pem\n" + python(program))


def test_the_known_hosts_line_lets_ssh_in_without_a_question(served: Served, tmp_path: Path) -> None:
    outputs = served.outputs
    known = tmp_path / "known_hosts"
    known.write_text(outputs["known_hosts"] + "\n")
    with os.fdopen(os.open(tmp_path / "key", os.O_WRONLY | os.O_CREAT, 0o600), "w") as stream:
        stream.write(outputs["ssh_private_key"])
    options = ("BatchMode=yes", "StrictHostKeyChecking=yes", f"UserKnownHostsFile={known}", "IdentitiesOnly=yes")
    words = ["ssh", "-F", "none", "-i", str(tmp_path / "key"), "-p", "2222"]
    words += [word for option in options for word in ("-o", option)]
    said = subprocess.run([*words, f"ubuntu@{outputs['ip']}", "echo in"], capture_output=True, text=True, check=True)
    assert said.stdout == "in\n"


def test_httpx_with_the_authoritys_certificate_gets_an_answer(served: Served) -> None:
    outputs = served.outputs
    client = httpx.Client(
        base_url=outputs["endpoint"],
        headers={"Authorization": f"Bearer {outputs['api_key']}"},
        verify=ssl.create_default_context(cafile=served.ca_file()),
        timeout=120,
    )
    answer = client.post("/completions", json={"model": MODEL, "prompt": "Hello", "max_tokens": 1})
    assert answer.json()["usage"]["completion_tokens"] == 1


def test_plain_http_gets_nothing_from_the_port(served: Served) -> None:
    with pytest.raises(httpx.TransportError):
        httpx.get(served.outputs["endpoint"].replace("https://", "http://") + "/models")


def test_a_certificate_near_its_end_is_renewed_and_shown_by_the_same_server_twice(
    served: Served, tmp_path: Path
) -> None:
    """Twice, since vLLM's watcher follows a file that is replaced by another once only."""
    before = served.servers()
    assert before
    for _ in range(2):
        old, authority = shown(served), served.outputs["ca_certificate"]
        age_certificate(served, tmp_path)
        done = served.project.up()
        assert "the server shows it" in done.output
        assert shown(served) != old
        assert served.outputs["ca_certificate"] == authority
        assert served.client().completions.create(model=MODEL, prompt="Hello", max_tokens=1).choices
    assert served.servers() == before
    served.project.pulumi("preview", "--expect-no-changes")


@pytest.mark.long
def test_tls_is_off_only_while_it_is_asked_for(served: Served) -> None:
    served.project.configure(tls="off")
    served.project.up()
    outputs = served.outputs
    assert "ca_certificate" not in outputs
    assert outputs["endpoint"] == f"http://{outputs['ip']}:8000/v1"
    assert outputs["reachable"] == "from here"
    client = openai.OpenAI(base_url=outputs["endpoint"], api_key=outputs["api_key"], max_retries=0)
    assert client.completions.create(model=MODEL, prompt="Hello", max_tokens=1).choices
    served.project.configure(tls=None)
    served.project.up()
    assert served.outputs["endpoint"].startswith("https://")
    assert served.client().completions.create(model=MODEL, prompt="Hello", max_tokens=1).choices


def shown(served: Served) -> str:
    """The certificate that the server shows."""
    return ssl.get_server_certificate((served.outputs["ip"], 8000))


def age_certificate(served: Served, folder: Path) -> None:
    """Let the state say that the certificate was made long ago."""
    file = folder / "state.json"
    state = json.loads(served.project.export())
    (certificate,) = [r for r in state["deployment"]["resources"] if r["type"].endswith(":ServerCertificate")]
    certificate["outputs"] |= {"not_before": "2020-01-01T00:00:00+00:00", "not_after": "2020-12-31T00:00:00+00:00"}
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as stream:
        json.dump(state, stream)
    served.project.pulumi("stack", "import", "--file", str(file))
