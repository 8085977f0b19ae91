"""What this computer has asked Lambda to remove, for the `up` after a removal that was killed.

When Pulumi is killed while it removes an object, its state still has the object, and nothing tells the next `up` that
it is gone or about to go: the engine asks the provider only what has changed among the inputs. So each removal is noted
before it begins, by the id, which Lambda never gives twice; an object in the state with such a note is replaced. On
another computer there are no notes, and `pulumi refresh` finds out.
"""

from typing import Generic

from pulumi.dynamic import CreateResult, DiffResult, ReadResult

from components.dynamic.inputs import Properties
from components.dynamic.provider import Declared
from components.lambda_cloud.api.account_folder import account_folder
from components.lambda_cloud.api.notes import Notes
from components.lambda_cloud.provider import LambdaProvider


class RemovalNotingProvider(LambdaProvider[Declared], Generic[Declared]):
    """Base of objects of the account: one whose removal has begun is made anew."""

    def diff(self, _id: str, olds: Properties, news: Properties) -> DiffResult:
        """As ever, but what is half removed is replaced, what is left of it removed first."""
        found = super().diff(_id, olds, news)
        if not self._removals.has(_id):
            return found
        return DiffResult(changes=True, replaces=[*(found.replaces or []), "id"], delete_before_replace=True)

    def create(self, props: Properties) -> CreateResult:
        """As ever; what is taken over may have been given up before."""
        made = super().create(props)
        self._removals.drop(made.id)
        return made

    def read(self, id_: str, props: Properties) -> ReadResult:
        """As ever; what a refresh sees is there, whatever was begun."""
        found = super().read(id_, props)
        if found.id:
            self._removals.drop(id_)
        return found

    def delete(self, _id: str, _props: Properties) -> None:
        """Note it, then delete."""
        if self.goes(_props):
            self._removals.add(_id)
        super().delete(_id, _props)

    def goes(self, state: Properties) -> bool:
        """Whether the object goes when its resource does; False for one that is kept in the account."""
        return True

    @property
    def _removals(self) -> Notes:
        return self._notes("removals")

    def _notes(self, kind: str) -> Notes:
        folder = account_folder(self._api_key, self._api_url)
        return Notes(folder / kind if folder else None)
