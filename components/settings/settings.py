"""What a stack says it wants: all words together, and what holds between them."""

from typing import Any, TypeVar

from pydantic import ValidationInfo, field_validator, model_validator
from pydantic.alias_generators import to_camel

from components.settings.groups import (
    AccountSettings,
    EndpointSettings,
    InstallSettings,
    MachineSettings,
    ModelSettings,
    ServingSettings,
    Words,
)
from components.settings.word import word_of
from components.vllm.release.flags import FlagsError, checked_flags
from components.vllm.release.flags.release import misspelt_variables
from components.vllm.release.reserved import FLAGS_OF_OURS, VARIABLES_OF_OURS

Group = TypeVar("Group", bound=Words)


# The last is read first: flags are checked when the version of vLLM is known.
class Settings(AccountSettings, EndpointSettings, ServingSettings, InstallSettings, MachineSettings, ModelSettings):
    """What a stack says it wants, word for word; a part of the stack is handed its group of them."""

    @property
    def served_model(self) -> ModelSettings:
        """The model, and the hub it comes from."""
        return self._group(ModelSettings)

    @property
    def machine(self) -> MachineSettings:
        """The machine, and how long it is waited for."""
        return self._group(MachineSettings)

    @property
    def installation(self) -> InstallSettings:
        """vLLM, and how it comes to the machine."""
        return self._group(InstallSettings)

    @property
    def serving(self) -> ServingSettings:
        """The server on the machine."""
        return self._group(ServingSettings)

    @property
    def endpoint(self) -> EndpointSettings:
        """The endpoint, and who may use it."""
        return self._group(EndpointSettings)

    @property
    def account(self) -> AccountSettings:
        """The account at Lambda."""
        return self._group(AccountSettings)

    def _group(self, kind: type[Group]) -> Group:
        # Checked as a whole already; what holds between groups cannot be checked of one.
        return kind.model_construct(**{name: getattr(self, name) for name in kind.model_fields})

    @model_validator(mode="after")
    def keys_that_go_together(self) -> "Settings":
        """Two keys that name the same thing, or two things that want the same place."""
        if self.image_id and self.image_family:
            raise ValueError("give imageFamily or imageId, not both")
        if self.port == self.ssh_port:
            raise ValueError("port and sshPort must differ")
        if self.filesystem and len(self.regions) > 1:
            raise ValueError("a filesystem lies in one region: with filesystem, name that one in regions")
        if (self.build_triton or self.build_jobs) and self.install != "source":
            raise ValueError("buildTriton and buildJobs need install: source")
        return self

    @field_validator("instance_types", "regions")
    @classmethod
    def each_once(cls, names: list[str]) -> list[str]:
        """A place in the order of preference belongs to one name, and a firewall to one region."""
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"{name} is there twice: name each once")
        return names

    @field_validator("vllm_args")
    @classmethod
    def flags_that_vllm_takes(cls, flags: dict[str, Any], known: ValidationInfo) -> dict[str, Any]:
        """A flag is said in one place only, so that nothing is overruled unseen, and said as vLLM reads it."""
        try:
            return checked_flags(flags, known.data.get("vllm_version"), FLAGS_WITH_A_KEY, FLAGS_OF_OURS)
        except FlagsError as error:
            raise ValueError("\n".join(error.lines)) from None

    @field_validator("vllm_env")
    @classmethod
    def variables_that_keep_the_server_whole(cls, variables: dict[str, Any], known: ValidationInfo) -> dict[str, Any]:
        """Some variables would move the weights away, or serve without the key check, and some nobody would read."""
        ours = sorted(variables.keys() & VARIABLES_OF_OURS.keys())
        wrong = [f"{name} is set by this program: {VARIABLES_OF_OURS[name]}" for name in ours]
        wrong += misspelt_variables(variables, known.data.get("vllm_version"))
        if wrong:
            raise ValueError("\n".join(wrong))
        return variables


WORDS = {to_camel(name): word_of(field) for name, field in Settings.model_fields.items()}
"""What is known of each key, as users write it."""

KEYS = tuple(WORDS)

SECRETS = frozenset(key for key, word in WORDS.items() if word.is_secret)

FLAGS_WITH_A_KEY = {word.flag: key for key, word in WORDS.items() if word.flag}
