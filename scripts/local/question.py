"""The tutorial's own question to the endpoint."""

from tempfile import NamedTemporaryFile

import requests

from scripts.local.errors import LocalError
from scripts.local.stack import StackOutputs

QUESTION = "What is the name of the capital of France?"
ANSWER_SECONDS = 120


def ask(outputs: StackOutputs) -> str:
    """The endpoint's whole answer as it came: the JSON text of an OpenAI completion.

    Raises:
        LocalError: no answer in two minutes, or one that is no completion.
    """
    url = f"{outputs.endpoint}/completions"
    question = {"model": outputs.model, "prompt": QUESTION, "max_tokens": 16, "temperature": 0}
    headers = {"Authorization": f"Bearer {outputs.api_key}"}
    try:
        with NamedTemporaryFile("w", suffix=".pem") as authority:
            authority.write(outputs.ca_certificate)
            authority.flush()
            answer = requests.post(url, json=question, headers=headers, timeout=ANSWER_SECONDS, verify=authority.name)
    except requests.RequestException as error:
        raise LocalError(
            f"{url} does not answer ({type(error).__name__}); `make local` checks the server again"
        ) from None
    if answer.status_code != requests.codes.ok:
        raise LocalError(f"{url} answered {answer.status_code}: {answer.text[:300]}")
    return answer.text
