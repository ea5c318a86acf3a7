"""Readers come and go: the grace after the last one, and an end that does not wait for them."""

import contextlib
import shutil
import time

import httpx
import pytest

from tests.fakes.model_server import Answer, Pause, running_server, text_frames
from tests.journeys.serving import Person, Reader, serving
from tests.unit.http.live import GENEROUS, KEY, live_server

SLOW = Answer(frames=[*text_frames("Let me think about that."), Pause(30.0)])


@contextlib.contextmanager
def thinking(migrated_file, home, grace_s):
    """A server whose model never finishes, a page at it, and a run that is under way."""
    shutil.copyfile(migrated_file, home / "c.db")
    with running_server(fallback=SLOW) as model:
        environment = {
            **GENEROUS,
            "OPENAI_BASE_URL": model.base_url,
            "OPENAI_MODEL": "slow",
            "OPENAI_API_KEY": "k",
        }
        url = f"sqlite:///{home / 'c.db'}"
        with live_server(home, url, environment=environment, reader_grace_s=grace_s) as live:
            page = live.page()
            talk = page.post("/api/v1/coach/conversations", json={}).json()["id"]
            path = f"/api/v1/coach/conversations/{talk}"
            headers = {"idempotency-key": KEY}
            posted = page.post(f"{path}/messages", json={"text": "hello"}, headers=headers)
            assert posted.status_code == 202, posted.text
            yield live, page, path


class Screen(Reader):
    """A reader with a connection of its own, that has seen the model begin."""

    def __init__(self, page, path):
        self._client = httpx.Client(base_url=str(page.base_url), headers=page.headers)
        super().__init__(self._client, f"{path}/events?after=1.0")
        self.until(lambda event: event.type == "step.started")

    def close(self):
        super().close()
        self._client.close()


def ends(live, seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if not live.product.coach.active:
            return True
        time.sleep(0.01)
    return False


@pytest.mark.fault("F114")
def test_a_run_is_cancelled_when_its_last_reader_stays_away(migrated_file, tmp_path):
    with thinking(migrated_file, tmp_path, 0.2) as (live, page, path):
        first, second = Screen(page, path), Screen(page, path)
        first.close()
        assert not ends(live, 0.5), "one reader is left"
        second.close()
        assert ends(live, 20)
        again = Screen(page, path)
        assert (
            again.until(lambda event: event.type == "run.finished").body["stop_reason"]
            == "cancelled"
        )
        again.close()
        live.find_line(event="run.abandoned")


def test_a_reader_that_comes_back_within_the_grace_keeps_the_run(migrated_file, tmp_path):
    with thinking(migrated_file, tmp_path, 2.0) as (live, page, path):
        Screen(page, path).close()
        back = Screen(page, path)
        assert not ends(live, 2.3)
        back.close()


def test_a_signal_ends_the_server_within_three_seconds_beside_open_streams(tmp_path):
    with serving(tmp_path) as server:
        person = Person(server)
        talk = person.post("coach/conversations", {})["id"]
        readers = [
            Reader(person.client, path)
            for path in ("/api/v1/coach/stream", f"/api/v1/coach/conversations/{talk}/events")
        ]
        began = time.monotonic()
        assert server.stop() in (0, -15)
        assert time.monotonic() - began < 3
        for one in readers:
            one.until(lambda event: False)
        log = (tmp_path / "serve.log").read_text()
        assert '"level":"error"' not in log, log[-2000:]
        person.close()
