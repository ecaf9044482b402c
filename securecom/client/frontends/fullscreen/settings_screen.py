"""Settings, one a row: choose one, type its value."""

from __future__ import annotations

from collections.abc import Callable

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option
from twisted.internet.defer import maybeDeferred
from twisted.python.failure import Failure

from securecom.client.api import ClientApi
from securecom.client.events import AllSettings
from securecom.client.frontends.orders import readable
from securecom.errors import SecurecomError


class SettingsScreen(ModalScreen[None]):
    """Every setting with its value. Enter changes one; Esc closes."""

    def __init__(self, api: ClientApi, complain: Callable[[SecurecomError], None]) -> None:
        super().__init__()
        self._api, self._complain = api, complain
        self._chosen = ""

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog tall"):
            yield Static("SETTINGS: Enter changes one, Esc closes", markup=False)
            yield OptionList(id="settings", markup=False, compact=True)
            yield Static("", id="what", markup=False)
            yield Input(id="value", compact=True)

    def on_mount(self) -> None:
        self.query_one(Input).display = False
        self._fill(self._api.settings.all())
        self.query_one(OptionList).focus()

    def _fill(self, settings: AllSettings) -> None:
        rows = self.query_one(OptionList)
        chosen = rows.highlighted or 0
        rows.clear_options()
        for setting in settings.settings:
            row = Text()
            row.append(f"{setting.name}: {setting.value}\n", "bold")
            row.append(f"    {setting.about}")
            rows.add_option(Option(row, id=setting.name))
        rows.highlighted = min(chosen, rows.option_count - 1) if rows.option_count else None

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        self._chosen = event.option_id or ""
        self._tell(f"new value of {self._chosen} (Enter keeps it, empty: leave it)")
        value = self.query_one(Input)
        value.display = True
        value.value = ""
        value.focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        value = event.value.strip()
        if not value:
            self._done()
            return
        changed = maybeDeferred(self._api.settings.change, f"{self._chosen} {value}")
        changed.addCallbacks(self._changed, self._failed)

    def _changed(self, settings: AllSettings) -> None:
        self._fill(settings)
        self._done()

    def _failed(self, failure: Failure) -> None:
        error = readable(failure)
        self._tell(f"SC-{error.code} {error.what}. {error.hint}")

    def _done(self) -> None:
        self.query_one(Input).display = False
        self._tell("")
        self.query_one(OptionList).focus()

    def _tell(self, text: str) -> None:
        self.query_one("#what", Static).update(text)
