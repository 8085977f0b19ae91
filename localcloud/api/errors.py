"""The errors of the API, with the status, codes and texts of Lambda API 1.10.0."""

from localcloud.account.catalogue import REGIONS


class ApiError(Exception):
    """Ends a request with the API's error envelope."""

    def __init__(self, status: int, code: str, message: str, suggestion: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.suggestion = suggestion


def invalid_parameters(message: str) -> ApiError:
    """Something in the request is wrong."""
    suggestion = "Retry the request after fixing the request parameters."
    return ApiError(400, "global/invalid-parameters", message, suggestion)


def invalid_api_key(message: str) -> ApiError:
    """No key, or not the key of this account."""
    suggestion = "Check your API key or create a new one, then try again."
    return ApiError(401, "global/invalid-api-key", message, suggestion)


def not_found() -> ApiError:
    """There is no such path, or no such SSH key."""
    return ApiError(404, "global/not-found", "The requested resource was not found.")


def instance_not_found() -> ApiError:
    """There is no such instance, or no longer."""
    return ApiError(404, "global/object-does-not-exist", "Specified instance does not exist.")


def ruleset_not_found() -> ApiError:
    """There is no such firewall ruleset."""
    return ApiError(
        404,
        "global/object-does-not-exist",
        "Firewall ruleset does not exist or you do not have permission to access it.",
        "Check your firewall ruleset ID and try again.",
    )


def launch_object_not_found(what: str) -> ApiError:
    """Something that a launch names is not there. The document has it under 400 and 404; 400 is our choice."""
    return ApiError(400, "global/object-does-not-exist", f"{what} does not exist.", "Check the launch parameters.")


def insufficient_capacity() -> ApiError:
    """The instance type cannot be had in the region now. The suggestion was seen live."""
    return ApiError(
        400,
        "instance-operations/launch/insufficient-capacity",
        "Not enough capacity to fulfill launch request.",
        "Choose an instance type with more availability, or try again later.",
    )


def conflict() -> ApiError:
    """The instance is not in a state to be restarted in."""
    return ApiError(409, "global/conflict", "The request conflicts with the current state of the resource.")


def ruleset_in_use() -> ApiError:
    """An instance holds the ruleset."""
    return ApiError(
        400,
        "firewall-rulesets/firewall-ruleset-in-use",
        "Firewall ruleset is in use by one or more instances.",
        "Terminate all instances that are using the ruleset before deleting it.",
    )


def key_in_use() -> ApiError:
    """An instance holds the SSH key. Status and text were seen live in 2026; the code is of older documents."""
    return ApiError(400, "ssh-keys/key-in-use", "Key is currently in use, cannot delete")


def duplicate_filesystem() -> ApiError:
    """The account has a filesystem of this name; the text is our own."""
    return ApiError(
        400,
        "global/duplicate",
        "A filesystem with this name already exists.",
        "Choose another name and try again.",
    )


def filesystem_in_use() -> ApiError:
    """An instance has the filesystem; the text is our own."""
    return ApiError(
        400,
        "filesystems/filesystem-in-use",
        "Filesystem is in use by one or more instances.",
        "Terminate all instances that are using the filesystem before deleting it.",
    )


def filesystem_not_found() -> ApiError:
    """There is no such filesystem to delete."""
    return ApiError(404, "global/object-does-not-exist", "Filesystem was not found.")


def filesystem_in_wrong_region(name: str, region: str) -> ApiError:
    """A launch names a filesystem of another region; the text is our own."""
    return ApiError(
        400,
        "instance-operations/launch/file-system-in-wrong-region",
        f"Filesystem '{name}' is not in region '{region}'.",
        "Launch in the region of the filesystem.",
    )


def quota_exceeded() -> ApiError:
    """The account has as many as it may."""
    return ApiError(400, "global/quota-exceeded", "Quota exceeded.", "Contact Support to increase your quota.")


def provider_unavailable() -> ApiError:
    """Something behind the API is down. The document names no status for it; 503 is our choice."""
    return ApiError(503, "provider/internal-unavailable", "Provider unavailable", "Try again shortly")


def internal_error(status: int = 500) -> ApiError:
    """The server's own fault; on firewall rulesets Lambda says it with 409."""
    return ApiError(
        status,
        "global/internal-error",
        "An internal server error occurred.",
        "Try again later. Contact Support if the problem persists.",
    )


def not_implemented(what: str) -> ApiError:
    """The local cloud does not play a part of the API; the status and the code are its own."""
    return ApiError(501, "global/not-implemented", f"The local cloud has no {what}.")


def check_region(name: str) -> None:
    """Raises: ApiError when there is no such region."""
    if name not in REGIONS:
        raise invalid_parameters(f"Region '{name}' does not exist.")
