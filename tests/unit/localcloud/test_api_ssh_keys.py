"""SSH keys of the account."""

import asyncssh
import pytest

from tests.support.cloud_api.account import PUBLIC_KEY, Account

UNKNOWN = "0" * 32


def test_a_registered_key_is_listed_as_it_was_given(account: Account) -> None:
    made = account.post("/ssh-keys", {"name": "mine", "public_key": PUBLIC_KEY}).data
    assert made == {"id": made["id"], "name": "mine", "public_key": PUBLIC_KEY}
    assert account.get("/ssh-keys").data == [made]


def test_a_pair_made_by_the_server_fits_together_and_its_private_half_is_shown_once(account: Account) -> None:
    made = account.post("/ssh-keys", {"name": "theirs"}).data
    private = asyncssh.import_private_key(made["private_key"])
    assert private.export_public_key().split()[1].decode() == made["public_key"].split()[1]
    assert "private_key" not in account.get("/ssh-keys").data[0]


@pytest.mark.parametrize("name", ["two\nlines\rand\u00a0more", "büro"], ids=["lines", "accents"])
def test_a_machine_can_be_launched_with_a_key_of_any_name(account: Account, name: str) -> None:
    made = account.post("/ssh-keys", {"name": name}).data
    assert len(made["public_key"].splitlines()) == 1
    assert account.launch(ssh_key_names=[name]).status == 200


def test_a_key_may_have_a_comment_in_any_language(account: Account) -> None:
    public_key = PUBLIC_KEY.replace("noname", "büro")
    made = account.post("/ssh-keys", {"name": "mine", "public_key": public_key}).data
    assert made["public_key"] == public_key
    assert account.launch(ssh_key_names=["mine"]).status == 200


def test_names_are_unique(account: Account) -> None:
    account.post("/ssh-keys", {"name": "mine", "public_key": PUBLIC_KEY})
    answer = account.post("/ssh-keys", {"name": "mine"})
    assert answer.status == 400
    assert "name must be unique" in answer.message
    assert len(account.get("/ssh-keys").data) == 1


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": "", "public_key": PUBLIC_KEY}, "name"),
        ({"name": "n" * 65, "public_key": PUBLIC_KEY}, "name"),
        ({"public_key": PUBLIC_KEY}, "name"),
        ({"name": "mine", "public_key": "ssh-ed25519 nonsense"}, "public_key"),
        ({"name": "mine", "public_key": "x" * 4097}, "public_key"),
    ],
)
def test_a_wrong_key_is_refused_by_the_name_of_the_field(account: Account, body: object, field: str) -> None:
    answer = account.post("/ssh-keys", body)
    assert (answer.status, answer.code) == (400, "global/invalid-parameters")
    assert f"'{field}'" in answer.message


def test_a_key_in_another_form_ends_up_on_the_machine_in_openssh_form(account: Account) -> None:
    pkcs8 = asyncssh.generate_private_key("ssh-ed25519").export_public_key("pkcs8-pem").decode()
    account.post("/ssh-keys", {"name": "key", "public_key": pkcs8})
    assert account.launch().status == 200


def test_a_key_held_by_an_instance_cannot_be_deleted_until_the_instance_is_gone(account: Account) -> None:
    instance_id = account.launched()
    key_id = account.get("/ssh-keys").data[0]["id"]
    refused = account.call("DELETE", f"/api/v1/ssh-keys/{key_id}")
    assert (refused.status, refused.message) == (400, "Key is currently in use, cannot delete")
    account.post("/instance-operations/terminate", {"instance_ids": [instance_id]})
    account.wait()
    assert account.call("DELETE", f"/api/v1/ssh-keys/{key_id}").data == {}
    assert account.get("/ssh-keys").data == []


def test_deleting_an_unknown_key_says_not_found(account: Account) -> None:
    answer = account.call("DELETE", f"/api/v1/ssh-keys/{UNKNOWN}")
    assert (answer.status, answer.code) == (404, "global/not-found")
